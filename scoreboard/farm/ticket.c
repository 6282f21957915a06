/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * ticket.c: a waiter's place in the queue: to get a place, to take the slot that
 * was granted, to leave.
 */

#include "ticket.h"

#include <errno.h>
#include <string.h>

#include "claim.h"
#include "fair.h"
#include "records/node.h"
#include "attempt.h"
#include "records/passed.h"
#include "records/queue.h"
#include "records/slot.h"
#include "records/history.h"
#include "store/store.h"
#include "system/timespan.h"

/*
 * The waiter just before a place in the queue may watch the process behind that place, see reap.c. If that process
 * lives on, no pidfd tells the waiter that the queue has changed: so this process wakes the waiter to look again.
 */
static int nudge(struct score *s, const struct farm *farm, uint32_t before)
{
	struct cell cell;
	int r;

	if (before == NONE)
		return 0;
	r = queue_read(s->store, farm, before, &cell);
	if (r == 0 && !holder_equal(&cell.owner, &s->self))
		(void)wake_list_add(&s->wakes, cell.wake);
	return r;
}

void ticket_name(struct score_ticket *ticket, const char *client)
{
	(void)memset(ticket->client, 0, sizeof(ticket->client));
	(void)memcpy(ticket->client, client, strnlen(client, SCORE_CLIENT_MAX));
}

/* Has the waiters that are passed looked at again if this waiter is among them: the waiter, or its limit, is new there. */
static void look_again(struct score *s, const struct cell *cell)
{
	const struct passed *passed = passed_get(s->store);

	if (passed && cell->number <= passed->number)
		passed_forget(s->store);
}

void ticket_limit(struct score *s, struct cell *cell, struct score_ticket *ticket, uint32_t per_client)
{
	ticket->per_client = per_client;
	if (cell->per_client == per_client)
		return;
	look_again(s, cell);
	cell->per_client = per_client;
	store_touch(s->store, &cell->per_client, sizeof(cell->per_client));
}

int ticket_join(struct score *s, struct farm *farm, uint64_t number, enum score_policy policy, const char *client,
		uint32_t per_client, struct score_ticket *ret)
{
	struct cell *cell;
	int r = wake_port_open(&s->port);

	if (r < 0)
		return r;
	ret->number = number;
	ret->policy = policy;
	ticket_name(ret, client);
	r = queue_insert(s->store, farm, number, &s->self, policy, client, s->port.name, &ret->cell);
	if (r == 0)
		history_note_counts(s->store, farm);
	if (r == 0)
		r = queue_get(s->store, farm, ret->cell, &cell);
	if (r == 0 && claim_is_patient(s, policy)) {
		cell->policy |= CELL_PATIENT;
		store_touch(s->store, &cell->policy, sizeof(cell->policy));
	}
	if (r == 0 && cell->next != NONE)
		look_again(s, cell);
	if (r == 0)
		ticket_limit(s, cell, ret, per_client);
	if (r == 0 && cell->next != NONE)
		r = nudge(s, farm, cell->prev);
	return r;
}

int ticket_make_room(struct score *s)
{
	struct farm farm;
	int r = farm_begin(s, &farm);

	if (r < 0)
		return r;
	if (farm.free_cell == NONE)
		r = queue_grow(s->store, &farm);
	return farm_end(s, &farm, r ?: fair_make_room(s, &farm));
}

/* ---- being next, and leaving ---- */

/* Reads the granted cell behind *cell, which begins as { .next = farm->granted_head }. 0; 1: there is none; or -errno. */
static int read_granted(struct score *s, const struct farm *farm, struct cell *cell)
{
	uint64_t last = cell->number;
	int r = cell->next == NONE ? 1 : queue_read(s->store, farm, cell->next, cell);

	return r == 0 && cell->number <= last ? -EUCLEAN : r; /* the list may be a ring */
}

/* Frees the slot that was granted to the ticket in a cell, and the cell. Staged only. 0 or -errno. */
static int free_granted(struct score *s, struct farm *farm, const struct cell *cell)
{
	uint32_t node = cell->node, number = cell->slot;
	struct node_record *record;
	struct slot *slot;

	return node_get(s->store, node, &record) ?:
	       slot_get(s->store, node, number, &slot) ?:
	       claim_free_slot(s, farm, record->position, slot, number);
}

/*
 * A process that stops waiting may have been the guard of older waiters that
 * were granted a slot and never told, because the process that granted it was
 * killed. These are woken now; there are hardly ever any. tests/model shows what
 * happens without it: TAKE_TELLS_NONE.
 */
static int remind(struct score *s, const struct farm *farm, uint64_t number)
{
	struct cell cell = { .next = farm->granted_head };
	int r;

	while ((r = read_granted(s, farm, &cell)) == 0 && cell.number < number)
		(void)wake_list_add(&s->wakes, cell.wake);
	return r < 0 ? r : 0;
}

/*
 * A ticket that another process queued waits again, because the slot that it was granted is lost. From now on this
 * process is woken for the ticket. Commits. 0 or -errno.
 */
static int wait_instead(struct score *s, const struct farm *farm, struct cell *cell)
{
	int r;

	if (holder_equal(&cell->owner, &s->self))
		return 0;
	r = wake_port_open(&s->port) ?: nudge(s, farm, cell->prev);
	if (r < 0)
		return r;
	cell->owner = s->self;
	(void)memcpy(cell->wake, s->port.name, WAKE_NAME_SIZE);
	store_touch(s->store, cell, sizeof(*cell));
	return store_commit(s->store);
}

static int take(struct score *s, struct farm *farm, const struct score_ticket *ticket, struct score_slot *ret,
		struct score_target *ret_target)
{
	struct cell *cell;
	struct slot *slot;
	int r = queue_find(s->store, farm, ticket, &cell);

	if (r < 0)
		return r;
	if (cell->state == CELL_WAITING)
		return wait_instead(s, farm, cell) ?: 1;
	r = slot_get(s->store, cell->node, cell->slot, &slot);
	if (r < 0)
		return r;
	if (slot->state != SLOT_GRANTED || slot->ticket != ticket->number)
		return -EUCLEAN;
	/* The slot was granted while the farm had a lease, and now other gateways may use it. The ticket leaves the queue:
	 * operations.c puts it back at its place, where it waits for the next lease. */
	if (farm_is_lapsed(farm))
		return free_granted(s, farm, cell) ?: store_commit(s->store) ?: -ESTALE;
	r = claim_describe(s, cell->node, ret_target);
	if (r < 0)
		return r;
	*ret = (struct score_slot){
		.node = cell->node, .slot = cell->slot, .ticket = ticket->number, .trial = slot->trial,
	};
	slot->holder = s->self;
	slot->state = SLOT_BUSY;
	slot->cell = NONE;
	slot->since_usec = now_boottime();
	store_touch(s->store, slot, sizeof(*slot));
	r = queue_ungrant(s->store, farm, cell);
	if (r < 0)
		return r;
	queue_free(s->store, farm, ticket->cell, cell);
	return remind(s, farm, ticket->number) ?: store_commit(s->store);
}

int attempt_take(struct score *s, const struct score_ticket *ticket, struct score_slot *ret, struct score_target *ret_target)
{
	struct farm *farm;

	return IN_SECTION(s, farm, take(s, farm, ticket, ret, ret_target));
}

int attempt_granted(struct score *s, const struct score_ticket *ticket)
{
	struct farm *farm;
	struct cell *cell;

	return IN_SECTION(s, farm, queue_find(s->store, farm, ticket, &cell) ?: cell->state == CELL_GRANTED);
}

int attempt_next_granted(struct score *s, uint64_t number, uint64_t *ret)
{
	struct farm *farm;
	struct cell cell;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	cell = (struct cell){ .next = farm->granted_head };
	do
		r = read_granted(s, farm, &cell);
	while (r == 0 && (cell.number <= number || !holder_equal(&cell.owner, &s->self)));
	farm_leave(s);
	if (r == 0)
		*ret = cell.number;
	return r < 0 ? r : r == 0;
}

static int leave(struct score *s, struct farm *farm, const struct score_ticket *ticket)
{
	struct cell *cell;
	int r = queue_find(s->store, farm, ticket, &cell);

	if (r < 0)
		return r;
	if (cell->state == CELL_WAITING) {
		r = nudge(s, farm, cell->prev) ?: queue_unlink(s->store, farm, cell);
		if (r < 0)
			return r;
		queue_free(s->store, farm, ticket->cell, cell);
		r = remind(s, farm, ticket->number);
	} else {
		r = free_granted(s, farm, cell);
	}
	return r ?: claim_dispatch(s, farm);
}

int attempt_leave(struct score *s, const struct score_ticket *ticket)
{
	struct farm *farm;

	return IN_SECTION(s, farm, leave(s, farm, ticket));
}

/* ---- a ticket that is gone ---- */

/* Puts a ticket that is not in the queue into it, at its place in the order. */
static int put_back(struct score *s, struct score_ticket *ticket, const char *client)
{
	struct score_ticket again = *ticket;
	struct farm *farm;
	struct cell *cell;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = queue_find(s->store, farm, ticket, &cell);
	if (r == -ESTALE) {
		if (farm->next_ticket <= ticket->number) {
			farm->next_ticket = ticket->number + 1;
			store_touch(s->store, farm, sizeof(*farm));
		}
		r = ticket_join(s, farm, ticket->number, ticket->policy, client, ticket->per_client, &again) ?:
		    fair_waits(s, farm, again.cell) ?:
		    store_commit(s->store);
		if (r == 0) {
			*ticket = again;
			s->times_put_back++;
			r = claim_dispatch(s, farm);
		}
	}
	farm_leave(s);
	return r;
}

int ticket_put_back(struct score *s, struct score_ticket *ticket)
{
	const char *client = *ticket->client ? ticket->client : "unknown";

	return WITH_ROOM(s, put_back(s, ticket, client));
}

int attempt_rejoin(struct score *s, uint64_t number, enum score_policy policy, const char *client,
		   uint32_t per_client, struct score_ticket *ret)
{
	/* The ticket has no cell yet: queue_find() finds none. */
	*ret = (struct score_ticket){ .number = number, .cell = NONE, .policy = policy, .per_client = per_client };
	return WITH_ROOM(s, put_back(s, ret, client));
}
