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

#include "records/client.h"
#include "records/party.h"
#include "records/passed.h"
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
 * Where to begin to look for a ticket that may have a slot, if the first ticket of
 * the first party, *first, may not: behind the tickets that are passed (passed.h).
 * The client for which this section has made room may have passed tickets, though.
 * But with a limit that is not above that of *first it has no room: it holds as
 * many slots as the first party, or more. 0, with *ret, the cell, and *ret_last, the
 * number before it, 0 for the head of the queue; or -errno.
 */
static int begin(struct score *s, const struct farm *farm, const struct cell *first, uint32_t *ret, uint64_t *ret_last)
{
	const struct passed *passed = passed_get(s->store);
	struct cell cell;
	int r;

	*ret = farm->queue_head;
	*ret_last = 0;
	if (!passed || (*s->room_for && passed->limit > first->per_client))
		return 0;
	r = passed->cell < farm->cells ? queue_read(s->store, farm, passed->cell, &cell) : 1;
	if (r < 0)
		return r;
	if (r == 0 && cell.state == CELL_WAITING && cell.number == passed->number) {
		*ret = cell.next;
		*ret_last = cell.number;
	} else {
		passed_forget(s->store); /* the last of them does not wait any more: all are looked at again */
	}
	return 0;
}

/*
 * The same as fair_next() where the first ticket of the first party, *first, may
 * have no slot, because of --per-client: looks at the others, as each entrance may
 * have a limit of its own. Those that may have no slot either are passed, up to the
 * first that may, so that they are not looked at again.
 */
static int next_allowed(struct score *s, const struct farm *farm, const struct cell *first, struct clients_full *full,
			uint32_t *ret)
{
	struct cell_reader reader = { .number = NONE };
	struct party best = { .held = UINT32_MAX };
	bool all_passed;
	const struct cell *cell;
	uint32_t number;
	uint64_t last;
	int begun = begin(s, farm, first, &number, &last);

	if (begun < 0)
		return begun;
	all_passed = last > 0 || !passed_get(s->store);
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
		if (r == 1) {
			all_passed = all_passed && passed_add(s->store, number, cell, client_hash(cell->client));
			continue;
		}
		all_passed = false;
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
	return r == 1 ? next_allowed(s, farm, &cell, full, ret) : r;
}
