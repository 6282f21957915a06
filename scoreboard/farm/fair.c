/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fair.c: fairness counts slots that are held, not connections that were served:
 * so a client with long jobs gets no more of the farm than a client with short
 * ones, and what a client did before it waits does not matter. (Start-time fair
 * queueing, which numbers the connections of each client, was the other way: it
 * gives half of the grants to the client with jobs of an hour, and soon all slots.)
 */

#include "fair.h"

#include <errno.h>

#include "records/party.h"
#include "records/queue.h"

bool fair_is_ready(const struct farm *farm, const struct score_arrival *arrival)
{
	return !arrival->fair || farm->parties > 0;
}

int fair_make_ready(struct score *s, struct farm *farm)
{
	farm->parties = PARTIES_FIRST;
	return party_build(s->store, farm);
}

int fair_make_room(struct score *s, struct farm *farm)
{
	int r = 0;

	/* Another process may have made room since. */
	if (s->parties_full > 0 && s->parties_full == farm->parties)
		r = party_grow(s->store, farm);
	if (r == 0)
		s->parties_full = 0;
	return r;
}

void fair_order(struct score *s, struct farm *farm, const struct score_arrival *arrival, bool alone)
{
	uint32_t fair = farm->fair;

	if (arrival->fair)
		fair = farm->parties > 0;
	else if (alone || farm->queue_head == NONE)
		fair = 0;
	if (fair != farm->fair) {
		farm->fair = fair;
		store_touch(s->store, &farm->fair, sizeof(farm->fair));
	}
}

/* Notes that there was no room. */
static int note(struct score *s, const struct farm *farm, int r)
{
	if (r == -EXFULL)
		s->parties_full = farm->parties;
	return r;
}

int fair_held(struct score *s, struct farm *farm, const char *client)
{
	return note(s, farm, party_hold(s->store, farm, client));
}

int fair_waits(struct score *s, struct farm *farm, uint32_t cell)
{
	return note(s, farm, party_wait(s->store, farm, cell));
}

int fair_released(struct score *s, struct farm *farm, const struct slot *slot)
{
	return slot->state == SLOT_LOST ? 0 : party_release(s->store, farm, slot->client);
}

/*
 * The same where the first ticket of the first party may have no slot, because of
 * --per-client: looks at all that wait. With the same limit for all no other may
 * have one either, since each party holds as many or more; but each entrance may
 * have a limit of its own.
 */
static int next_allowed(struct score *s, const struct farm *farm, struct clients_full *full, uint32_t *ret)
{
	struct cell_reader reader = { .number = NONE };
	struct party best = { .held = UINT32_MAX };
	uint32_t number = farm->queue_head;
	const struct cell *cell;
	uint64_t last = 0;

	for (; number != NONE; number = cell->next) {
		struct party party;
		int r = queue_read_next(s->store, farm, number, &reader, &cell);

		if (r == 0 && (!cell_is_sane(cell) || cell->state != CELL_WAITING || cell->number <= last))
			r = -EUCLEAN; /* the list may be a ring */
		if (r == 0)
			r = client_is_full(s, farm, cell->client, cell->per_client, 0, full);
		if (r < 0)
			return r;
		last = cell->number;
		if (r == 1)
			continue;
		r = party_get(s->store, farm, cell->client, &party);
		if (r < 0)
			return r;
		if (party_is_before(&party, &best)) {
			best = party;
			*ret = number;
		}
	}
	return best.held == UINT32_MAX;
}

int fair_next(struct score *s, const struct farm *farm, struct clients_full *full, uint32_t *ret)
{
	struct cell cell;
	int r = party_next(s->store, farm, ret);

	if (r == 1)
		return farm->queue_head == NONE ? 1 : -EUCLEAN;
	if (r < 0)
		return r;
	r = queue_read(s->store, farm, *ret, &cell);
	if (r < 0)
		return r;
	if (!cell_is_sane(&cell) || cell.state != CELL_WAITING)
		return -EUCLEAN;
	r = client_is_full(s, farm, cell.client, cell.per_client, 0, full);
	return r == 1 ? next_allowed(s, farm, full, ret) : r;
}
