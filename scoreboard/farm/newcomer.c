/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * newcomer.c: what a connection that comes gets: a free slot, or a ticket.
 */

#include <errno.h>

#include "claim.h"
#include "attempt.h"
#include "records/queue.h"
#include "store/store.h"
#include "ticket.h"
#include "system/timespan.h"

#define REAP_PAUSE_USEC 100000u /* newcomers look for dead holders at most so often */

struct newcomer {
	enum score_policy policy;
	const char *client;
	size_t queue_limit;
	struct score_slot *slot;       /* NULL: by way of the queue, even if a slot is free */
	struct score_target *target;
	struct score_ticket *ticket;   /* NULL: does not wait */
};

int attempt_is_free(struct score *s)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = claim_is_free(s, farm);
	farm_leave(s);
	return r < 0 ? r : r == 0;
}

/* One attempt in one section. may_reap: 2 is returned, and nothing was done, when it is time to reap first. */
static int try_once(struct score *s, const struct newcomer *newcomer, bool may_reap)
{
	struct farm *farm;
	struct cell *cell;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	r = claim_open_due(s, farm);
	if (r == 0 && farm->queue_head != NONE)
		r = claim_dispatch(s, farm, newcomer->policy);
	if (r == 0)
		r = claim_is_free(s, farm);
	if (r == 1 && may_reap && now_boottime() - farm->reaped_usec >= REAP_PAUSE_USEC)
		r = 2;
	else if (r == 1 && newcomer->queue_limit && farm->queue_length >= newcomer->queue_limit)
		r = -E2BIG;
	else if (r == 0 && newcomer->slot)
		r = claim_take_free(s, farm, newcomer->policy, newcomer->client, farm->next_ticket,
			      newcomer->slot, newcomer->target);
	else if ((r == 0 || r == 1) && newcomer->ticket)
		r = ticket_join(s, farm, farm->next_ticket, newcomer->client, newcomer->ticket) ?: 1;
	if (r == 0 || (r == 1 && newcomer->ticket)) {
		int outcome = r;

		farm->next_ticket++;
		store_touch(s->store, farm, sizeof(*farm));
		r = store_commit(s->store);
		if (r == 0 && outcome == 1 && !newcomer->slot) {
			r = claim_dispatch(s, farm, newcomer->policy);
			if (r == 0)
				r = queue_find(s->store, farm, newcomer->ticket, &cell);
			if (r == 0)
				outcome = cell->state == CELL_GRANTED ? 0 : 1;
			if (r < 0)
				r = 0; /* it has its place, and must not be given another one; the next call mends, if it must */
		}
		r = r ?: outcome;
	}
	farm_leave(s);
	return r;
}

static int come(struct score *s, const struct newcomer *newcomer)
{
	int r = try_once(s, newcomer, true);

	if (r == 2) {
		r = attempt_reap(s, NULL, NULL);
		if (r == 0)
			r = try_once(s, newcomer, false);
	}
	while (r == -EXFULL) {
		r = ticket_make_room(s);
		if (r == 0)
			r = try_once(s, newcomer, false);
	}
	return r;
}

int attempt_claim(struct score *s, enum score_policy policy, const char *client, size_t queue_limit,
		struct score_slot *ret, struct score_target *ret_target, struct score_ticket *ret_ticket)
{
	return come(s, &(struct newcomer){ policy, client, queue_limit, ret, ret_target, ret_ticket });
}

int attempt_join(struct score *s, enum score_policy policy, const char *client, size_t queue_limit,
	       struct score_ticket *ret_ticket)
{
	return come(s, &(struct newcomer){ policy, client, queue_limit, NULL, NULL, ret_ticket });
}
