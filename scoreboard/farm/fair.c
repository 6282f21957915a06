/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fair.c: fairness counts slots that are held, not connections that were served:
 * so a client with long jobs gets no more of the farm than a client with short jobs,
 * and what a client did before it waits does not matter. (Start-time fair
 * queueing, which numbers the connections of each client, would give half of the
 * grants to a client with jobs of an hour, and so soon all slots.)
 */

#include "fair.h"

#include <errno.h>

#include "records/party.h"
#include "records/party_build.h"

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
