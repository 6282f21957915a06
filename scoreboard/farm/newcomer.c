/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * newcomer.c: a new connection gets a free slot, or a ticket. A connection that is still in the backlog of a listening
 * socket is accepted in the same section, so that tickets have the order of the backlog.
 */

#include <errno.h>
#include <string.h>

#include "claim.h"
#include "fair.h"
#include "attempt.h"
#include "policy/policy.h"
#include "records/patience.h"
#include "records/queue.h"
#include "records/slot.h"
#include "reap.h"
#include "store/store.h"
#include "ticket.h"
#include "system/timespan.h"

#define REAP_PAUSE_USEC 100000u /* newcomers look for dead holders at most so often */

/* Outcomes of an attempt besides 0 and 1. */
#define NONE_PENDING 2
#define REAP_FIRST 3     /* nothing was done: dead processes may hold what the newcomer needs */
#define PREPARE_FIRST 4  /* nothing was done: the policy wants records of its own */

/* What an attempt may ask for. */
enum {
	MAY_REAP = 1 << 0,
	MAY_PREPARE = 1 << 1,
};

struct newcomer {
	const struct score_arrival *arrival;
	struct score_slot *slot;       /* NULL: the newcomer gets a ticket, even if a slot is free */
	struct score_target *target;
	struct score_ticket *ticket;   /* NULL: the newcomer does not wait */
};

int attempt_is_free(struct score *s)
{
	struct farm *farm;

	return IN_SECTION(s, farm, claim_is_free(farm) == 0);
}

int attempt_prepare(struct score *s)
{
	struct farm *farm;

	return IN_SECTION(s, farm, store_prepare(s->store));
}

/*
 * Accepts the connection for which a slot (outcome 0) or a place (1) is staged, and writes the client's name into it. 0,
 * NONE_PENDING or -errno. Nothing is committed yet: if there is no connection, what is staged is dropped with the section.
 */
static int accept_in_hand(struct score *s, struct farm *farm, const struct newcomer *newcomer, int outcome)
{
	const struct score_arrival *arrival = newcomer->arrival;
	const char *client;
	struct cell *cell;
	struct slot *slot;
	char *name;
	int r;

	if (!arrival->accept)
		return 0;
	r = outcome == 0 ? slot_get(s->store, newcomer->slot->node, newcomer->slot->slot, &slot)
			 : queue_get(s->store, farm, newcomer->ticket->cell, &cell);
	if (r == 0)
		r = arrival->accept(&client, arrival->arg);
	if (r != 0)
		return r < 0 ? r : NONE_PENDING;
	name = outcome == 0 ? slot->client : cell->client;
	(void)memcpy(name, client, strnlen(client, SCORE_CLIENT_MAX));
	store_touch(s->store, name, SCORE_CLIENT_MAX + 1);
	if (outcome != 0) {
		ticket_name(newcomer->ticket, client);
		if (arrival->is_uncounted && *arrival->is_uncounted)
			ticket_limit(s, cell, newcomer->ticket, 0);
	}
	return 0;
}

/*
 * A newcomer's ticket has been committed. Returns whether a slot is granted to it at once: 0 yes, 1 no. A newcomer may
 * wait while slots are free: those before it may wait for their clients' other connections.
 */
static int dispatch_joined(struct score *s, struct farm *farm, const struct newcomer *newcomer)
{
	struct cell *cell = NULL;
	int r = claim_dispatch(s, farm) ?: queue_find(s->store, farm, newcomer->ticket, &cell);

	/* On failure the newcomer has its place, and must not get another. The next call repairs damage, if any. */
	return r == 0 && cell->state == CELL_GRANTED ? 0 : 1;
}

/* The policy takes over what the connection says of it, before a node is chosen. Staged only, with the farm's record. */
static void tell_policy(struct score *s, struct farm *farm, const struct score_arrival *arrival)
{
	const struct policy *policy = policy_get(arrival->policy);

	if (policy->told)
		policy->told(s->store, farm, arrival);
}

/* Takes a free slot, of which there is one. A policy that looks at the client needs the connection first. 0, NONE_PENDING or
 * -errno. */
static int take(struct score *s, struct farm *farm, const struct newcomer *newcomer, const char *client)
{
	const struct score_arrival *arrival = newcomer->arrival;
	int r;

	if (arrival->accept && policy_is_by_client(arrival->policy)) {
		r = arrival->accept(&client, arrival->arg);
		if (r != 0)
			return r < 0 ? r : NONE_PENDING;
	}
	tell_policy(s, farm, arrival);
	r = claim_take_free(s, farm, arrival->policy, client, farm->next_ticket, newcomer->slot, newcomer->target);
	return r == 1 ? -EUCLEAN : r;
}

/* Gets a ticket. 1 or -errno. */
static int join(struct score *s, struct farm *farm, const struct newcomer *newcomer, const char *client)
{
	const struct score_arrival *arrival = newcomer->arrival;

	tell_policy(s, farm, arrival);
	return ticket_join(s, farm, farm->next_ticket, arrival->policy, client, arrival->per_client, newcomer->ticket) ?: 1;
}

/* Counts what the newcomer has, a slot (outcome 0) or a place (1), for its party, and says in which order the farm's
 * waiters are. Staged only. 0 or -errno. */
static int count(struct score *s, struct farm *farm, const struct newcomer *newcomer, int outcome)
{
	struct slot *slot;
	int r;

	fair_order(s, farm, newcomer->arrival, outcome == 1 && newcomer->ticket->cell == farm->queue_head);
	if (farm->parties == 0)
		return 0;
	if (outcome == 1)
		return fair_waits(s, farm, newcomer->ticket->cell);
	r = slot_get(s->store, newcomer->slot->node, newcomer->slot->slot, &slot);
	return r < 0 ? r : fair_held(s, farm, slot->client);
}

/* Stages what the newcomer gets: 0: a slot; 1: a place in the queue, or nothing if it does not wait. Or another outcome, or
 * -errno: then nothing. */
static int stage(struct score *s, struct farm *farm, const struct newcomer *newcomer, unsigned may)
{
	const struct score_arrival *arrival = newcomer->arrival;
	const char *client = arrival->accept ? "" : arrival->client;
	bool is_free, begins;
	int r = claim_open_due(s, farm);

	if (r == 0 && farm->queue_head != NONE)
		r = claim_dispatch(s, farm);
	if (r < 0)
		return r;
	is_free = claim_is_free(farm) == 0;
	if (may & MAY_PREPARE && !claim_is_ready(farm, arrival))
		return PREPARE_FIRST;
	if (!is_free && may & MAY_REAP && now_boottime() - farm->reaped_usec >= REAP_PAUSE_USEC)
		return REAP_FIRST;
	if (!is_free && arrival->queue_limit && farm->queue_length >= arrival->queue_limit)
		return -E2BIG;
	if (claim_is_patient(s, arrival->policy))
		patience_ask(s->store, s->patience_usec, now_boottime());
	if (is_free && newcomer->slot && !arrival->per_client &&
	    !(claim_is_patient(s, arrival->policy) && claim_keeps(s, farm, 1, &begins)))
		return take(s, farm, newcomer, client);
	return newcomer->ticket ? join(s, farm, newcomer, client) : 1;
}

/* Makes real what is staged: a slot (outcome 0) or a place (1). The newcomer's outcome. */
static int settle(struct score *s, struct farm *farm, const struct newcomer *newcomer, int outcome)
{
	int r = accept_in_hand(s, farm, newcomer, outcome) ?: count(s, farm, newcomer, outcome), granted;

	if (r != 0)
		return r;
	farm->next_ticket++;
	store_touch(s->store, &farm->next_ticket, sizeof(farm->next_ticket));
	r = store_commit(s->store);
	if (r < 0 || outcome == 0)
		return r;
	granted = dispatch_joined(s, farm, newcomer);
	return newcomer->slot ? 1 : granted; /* such a caller takes a granted slot by its ticket */
}

/* One attempt in one section. If it may, it returns PREPARE_FIRST, or REAP_FIRST when it is time to look for dead
 * holders. */
static int try_once(struct score *s, const struct newcomer *newcomer, unsigned may)
{
	struct farm *farm;
	int r;

	s->look_due = false;
	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	r = stage(s, farm, newcomer, may);
	/* A process that accepts by itself is a listener's, which looks. */
	s->look_due = r == 0 && !newcomer->arrival->accept && farm->busy > 1 && reap_due_usec(farm, REAP_PAUSE_USEC) == 0;
	if (r == 0 || (r == 1 && newcomer->ticket))
		r = settle(s, farm, newcomer, r);
	farm_leave(s);
	return r;
}

static int come(struct score *s, const struct newcomer *newcomer)
{
	int r;

	(void)wake_port_open(&s->port); /* its name has this process's farm, for the case that the slot is lost: see lost.h */
	r = try_once(s, newcomer, MAY_REAP | MAY_PREPARE);
	if (r == PREPARE_FIRST)
		r = claim_make_ready(s, newcomer->arrival) ?: try_once(s, newcomer, MAY_REAP);
	if (r == REAP_FIRST)
		r = attempt_reap(s, NULL, NULL) ?: try_once(s, newcomer, 0);
	while (r == -EXFULL)
		r = ticket_make_room(s) ?: try_once(s, newcomer, 0);
	return r;
}

int attempt_claim(struct score *s, const struct score_arrival *arrival, struct score_slot *ret,
		  struct score_target *ret_target, struct score_ticket *ret_ticket)
{
	return come(s, &(struct newcomer){ arrival, ret, ret_target, ret_ticket });
}

int attempt_join(struct score *s, const struct score_arrival *arrival, struct score_ticket *ret_ticket)
{
	return come(s, &(struct newcomer){ arrival, NULL, NULL, ret_ticket });
}
