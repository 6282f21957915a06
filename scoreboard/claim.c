/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * claim.c: the only place where slots change hands.
 *
 * What holds between sections: no slot is free while somebody waits (unless the
 * farm is paused). Everything that frees a slot, or makes one appear, ends with
 * claim_dispatch(), and a new connection that finds a queue joins it. So the
 * oldest waiter gets the next slot and nobody overtakes.
 *
 * A slot handed to a waiter belongs to that process at once, as granted; taking
 * it only notes that somebody works on it. A waiter that dies in between is
 * found like any dead holder. One that was granted a slot but never told (who
 * gave it was killed between the commit and the wake-up) is told again by the
 * guard, see reap.c.
 */

#include "claim.h"

#include <errno.h>
#include <string.h>

#include "learn.h"
#include "load.h"
#include "once.h"
#include "store.h"
#include "timespan.h"

#define REAP_PAUSE_USEC 100000u /* newcomers look for dead holders at most so often */

int claim_get_node(struct score *s, const struct farm *farm, uint32_t id,
		   struct node_record **ret_record, struct index_entry **ret_entry)
{
	int r = node_get(s->store, id, ret_record);

	if (r < 0)
		return r;
	r = index_get(s->store, farm, (*ret_record)->position, ret_entry);
	if (r < 0)
		return r;
	return (*ret_entry)->id == id ? 0 : -EUCLEAN;
}

int claim_enter_node(struct score *s, uint32_t id, struct claim_section *ret)
{
	int r = farm_enter(s, &ret->farm);

	if (r < 0)
		return r;
	r = claim_get_node(s, ret->farm, id, &ret->record, &ret->entry);
	if (r < 0)
		farm_leave(s);
	return r;
}

int claim_set_flags(struct score *s, struct farm *farm, uint32_t position, uint32_t set, uint32_t clear)
{
	struct index_entry *entry;
	int r = index_get(s->store, farm, position, &entry);

	if (r < 0)
		return r;
	farm->primaries_up -= index_is_primary_up(entry->flags);
	farm->nodes_up -= index_is_up(entry->flags);
	entry->flags = (entry->flags & ~clear) | set;
	farm->primaries_up += index_is_primary_up(entry->flags);
	farm->nodes_up += index_is_up(entry->flags);
	store_touch(s->store, farm, sizeof(*farm));
	return index_update(s->store, farm, position);
}

/* ---- choosing ---- */

/*
 * The position of the node to use now. 0, 1 if there is none, or -errno.
 * A backup is used only while no other node is up, however busy those are.
 */
static int choose(struct score *s, struct farm *farm, enum score_policy policy, uint32_t *ret)
{
	bool primary = farm->root.fastest & INDEX_PRIMARY;
	int r;

	if (farm->root.fastest == 0 || farm->paused || (!primary && farm->primaries_up > 0))
		return 1;
	switch (policy) {
	case POLICY_ORDER:
		return index_first_free(s->store, farm, 0, primary, ret);
	case POLICY_SPREAD:
		*ret = farm->root.spread_at;
		return 0;
	case POLICY_ROUNDROBIN:
		r = index_first_free(s->store, farm, farm->cursor, primary, ret);
		if (r == 1)
			r = index_first_free(s->store, farm, 0, primary, ret);
		if (r == 0) {
			farm->cursor = *ret + 1;
			store_touch(s->store, &farm->cursor, sizeof(farm->cursor));
		}
		return r;
	default:
		*ret = farm->root.fastest_at;
		return 0;
	}
}

/* ---- filling and freeing ---- */

/* Gives the first free slot of the node at position to a holder, whatever the node's state. Staged only. */
int claim_occupy(struct score *s, struct farm *farm, uint32_t position, const struct slot *with,
		 uint32_t *ret_node, uint32_t *ret_number, bool *ret_trial)
{
	struct index_entry *entry;
	struct slot *slot;
	bool trial;
	int r;

	r = index_get(s->store, farm, position, &entry);
	if (r < 0)
		return r;
	trial = !(entry->flags & ENTRY_UP);
	r = slot_pop(s->store, entry, &slot, ret_number);
	if (r < 0)
		return r;
	*slot = *with;
	slot->trial = trial;
	slot->next_free = NONE;
	store_touch(s->store, slot, sizeof(*slot));

	entry->busy++;
	farm->busy++;
	store_touch(s->store, farm, sizeof(*farm));
	*ret_node = entry->id;
	*ret_trial = trial;
	if (trial)
		return claim_set_flags(s, farm, position, ENTRY_TRIAL_RUNS, ENTRY_TRIAL_OPEN);
	return index_update(s->store, farm, position);
}

/* The same, of a node that was chosen for a connection. */
static int fill(struct score *s, struct farm *farm, uint32_t position, const struct slot *with,
		uint32_t *ret_node, uint32_t *ret_number, bool *ret_trial)
{
	struct index_entry *entry;
	int r = index_get(s->store, farm, position, &entry);

	if (r < 0)
		return r;
	if (index_entry_free(entry) == 0)
		return -EUCLEAN;
	return claim_occupy(s, farm, position, with, ret_node, ret_number, ret_trial);
}

/* A trial ends by which the node was neither reached nor failed: the next connection may try at once, unless the
 * node must be quiet first. */
static int end_trial(struct score *s, struct farm *farm, uint32_t position, struct index_entry *entry)
{
	struct node_record *record;
	int r = node_get(s->store, entry->id, &record);

	if (r < 0)
		return r == -ENOENT ? -EUCLEAN : r;
	if (!node_is_flapping(record))
		return claim_set_flags(s, farm, position, entry->flags & ENTRY_UP ? 0 : ENTRY_TRIAL_OPEN,
				       ENTRY_TRIAL_RUNS);
	entry->key.retry_usec = record->n_addresses > 0 ? record->quiet_usec : UINT64_MAX;
	return claim_set_flags(s, farm, position, 0, ENTRY_TRIAL_RUNS);
}

int claim_free_slot(struct score *s, struct farm *farm, uint32_t position, struct slot *slot, uint32_t number)
{
	bool trial = slot->trial;
	struct index_entry *entry;
	int r;

	r = index_get(s->store, farm, position, &entry);
	if (r < 0)
		return r;
	if (entry->busy == 0 || farm->busy == 0)
		return -EUCLEAN;
	if (slot->state == SLOT_GRANTED) {
		struct cell *cell;

		r = queue_get(s->store, farm, slot->cell, &cell);
		if (r < 0)
			return r;
		if (cell->state == CELL_GRANTED && cell->number == slot->ticket) {
			r = queue_ungrant(s->store, farm, cell);
			if (r < 0)
				return r;
			queue_free(s->store, farm, slot->cell, cell);
		}
	}
	slot_push(s->store, entry, slot, number);
	entry->busy--;
	farm->busy--;
	store_touch(s->store, farm, sizeof(*farm));
	if (trial && entry->flags & ENTRY_TRIAL_RUNS)
		return end_trial(s, farm, position, entry);
	return index_update(s->store, farm, position);
}

int claim_open_due(struct score *s, struct farm *farm)
{
	uint64_t now_usec = now_boottime();
	uint32_t position;
	int r;

	while ((r = index_first_due(s->store, farm, now_usec, &position)) == 0) {
		struct index_entry *entry;

		r = index_get(s->store, farm, position, &entry);
		if (r < 0)
			return r;
		entry->key.retry_usec = UINT64_MAX;
		r = claim_set_flags(s, farm, position,
				    entry->flags & (ENTRY_UP | ENTRY_TRIAL_RUNS) ? 0 : ENTRY_TRIAL_OPEN, 0);
		if (r == 0)
			r = store_commit(s->store);
		if (r < 0)
			return r;
		store_trim(s->store);
	}
	return r < 0 ? r : 0;
}

/* ---- the queue gets what is free ---- */

/* The oldest waiter that lives; dead ones before it are dropped. 0, 1 if nobody waits, or -errno. */
static int oldest_alive(struct score *s, struct farm *farm, struct cell **ret, uint32_t *ret_number)
{
	while (farm->queue_head != NONE) {
		uint32_t number = farm->queue_head;
		struct cell *cell;
		int r;

		r = queue_get(s->store, farm, number, &cell);
		if (r < 0)
			return r;
		if (!cell_is_sane(cell) || cell->state != CELL_WAITING)
			return -EUCLEAN; /* and whose it is cannot be read */
		if (holder_equal(&cell->owner, score_self(s)) || holder_alive(&cell->owner)) {
			*ret = cell;
			*ret_number = number;
			return 0;
		}
		r = queue_unlink(s->store, farm, cell);
		if (r < 0)
			return r;
		queue_free(s->store, farm, number, cell);
		r = store_commit(s->store);
		if (r < 0)
			return r;
		store_trim(s->store);
	}
	return 1;
}

/* Stages the hand-over of the slot at position to the oldest waiter. */
static int grant(struct score *s, struct farm *farm, uint32_t position, struct cell *cell, uint32_t number)
{
	struct slot with = {
		.holder = cell->owner, .ticket = cell->number, .since_usec = now_realtime(),
		.state = SLOT_GRANTED, .cell = number,
	};
	bool trial;
	int r;

	(void)memcpy(with.client, cell->client, sizeof(with.client));
	r = queue_unlink(s->store, farm, cell);
	if (r == 0)
		r = fill(s, farm, position, &with, &cell->node, &cell->slot, &trial);
	return r < 0 ? r : queue_grant(s->store, farm, number, cell);
}

int claim_dispatch(struct score *s, struct farm *farm, enum score_policy policy)
{
	int r;

	for (;;) {
		uint32_t position, number;
		struct cell *cell;

		if (farm->queue_head == NONE)
			break;
		r = choose(s, farm, policy, &position);
		if (r != 0)
			return r < 0 ? r : store_commit(s->store);
		r = oldest_alive(s, farm, &cell, &number);
		if (r != 0)
			return r < 0 ? r : store_commit(s->store);
		r = grant(s, farm, position, cell, number);
		if (r == 0)
			r = store_commit(s->store);
		if (r < 0)
			return r;
		if (wake_list_add(&s->wakes, cell->wake))
			wake_list_send(&s->wakes, &s->port);
		store_trim(s->store);
	}
	return store_commit(s->store);
}

/* ---- a connection's life ---- */

/* What the relay must know of the slot it got. */
static int describe_target(struct score *s, uint32_t node, struct score_target *ret)
{
	struct node_record *record;
	int r = node_get(s->store, node, &record);

	if (r < 0)
		return r == -ENOENT ? -EUCLEAN : r;
	(void)memcpy(ret->name, record->config.name, sizeof(ret->name));
	ret->proxy = record->config.proxy;
	ret->n_addresses = node_get_addresses(record, ret->addresses);
	return 0;
}

/* Takes a free slot for this process, if there is one and nobody waits that came before ticket. 0, 1, or -errno. */
int claim_take_free(struct score *s, struct farm *farm, enum score_policy policy, const char *client, uint64_t ticket,
		    struct score_slot *ret, struct score_target *ret_target)
{
	struct slot with = {
		.holder = *score_self(s), .ticket = ticket, .since_usec = now_realtime(),
		.state = SLOT_BUSY, .cell = NONE,
	};
	uint32_t position;
	int r;

	if (farm->queue_head != NONE) {
		struct cell head;

		r = queue_read(s->store, farm, farm->queue_head, &head);
		if (r < 0)
			return r;
		if (head.number < ticket)
			return 1;
	}
	r = choose(s, farm, policy, &position);
	if (r != 0)
		return r;
	(void)memcpy(with.client, client, strnlen(client, SCORE_CLIENT_MAX));
	*ret = (struct score_slot){ .ticket = ticket };
	r = fill(s, farm, position, &with, &ret->node, &ret->slot, &ret->trial);
	if (r == 0)
		r = describe_target(s, ret->node, ret_target);
	return r;
}

/*
 * Whoever waits just before a place in the queue may watch the process behind it as his guard, see reap.c; as
 * that process goes on, only we can tell him to look again.
 */
static int nudge(struct score *s, const struct farm *farm, uint32_t before)
{
	struct cell cell;
	int r;

	if (before == NONE)
		return 0;
	r = queue_read(s->store, farm, before, &cell);
	if (r == 0 && !holder_equal(&cell.owner, score_self(s)))
		(void)wake_list_add(&s->wakes, cell.wake);
	return r;
}

/* Stages a place in the queue for this process. -EXFULL: the queue must grow first. */
int claim_join(struct score *s, struct farm *farm, uint64_t number, const char *client, struct score_ticket *ret)
{
	struct cell *cell;
	int r = wake_port_open(&s->port);

	if (r < 0)
		return r;
	ret->number = number;
	r = queue_insert(s->store, farm, number, score_self(s), client, s->port.name, &ret->cell);
	if (r == 0)
		r = queue_get(s->store, farm, ret->cell, &cell);
	if (r == 0 && cell->next != NONE)
		r = nudge(s, farm, cell->prev);
	return r;
}

/* Makes room in the queue: a transaction, so outside of any section. */
int claim_grow_queue(struct score *s)
{
	struct farm farm;
	int r;

	r = store_begin(s->store);
	if (r < 0)
		return r;
	r = store_read(s->store, STORE_FARM, 0, 0, &farm, sizeof(farm));
	if (r == 0 && farm.free_cell == NONE)
		r = queue_grow(s->store, &farm);
	if (r == 0)
		r = store_put(s->store, STORE_FARM, 0, 0, &farm, sizeof(farm));
	if (r < 0) {
		store_cancel(s->store);
		return r;
	}
	return store_end(s->store);
}

struct newcomer {
	enum score_policy policy;
	const char *client;
	size_t queue_limit;
	struct score_slot *slot;       /* NULL: by way of the queue, even if a slot is free */
	struct score_target *target;
	struct score_ticket *ticket;   /* NULL: does not wait */
};

/* Whether a newcomer would be served now: 0 yes, 1 no, or -errno. */
static int is_free(struct score *s, struct farm *farm)
{
	uint32_t position;

	return farm->queue_head != NONE ? 1 : choose(s, farm, POLICY_FASTEST, &position);
}

int once_is_free(struct score *s)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = is_free(s, farm);
	farm_leave(s);
	return r < 0 ? r : r == 0;
}

/* One attempt in one section. may_reap: 2 is returned, and nothing was done, when it is time to reap first. */
static int claim_once(struct score *s, const struct newcomer *newcomer, bool may_reap)
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
		r = is_free(s, farm);
	if (r == 1 && may_reap && now_boottime() - farm->reaped_usec >= REAP_PAUSE_USEC)
		r = 2;
	else if (r == 1 && newcomer->queue_limit && farm->queue_length >= newcomer->queue_limit)
		r = -E2BIG;
	else if (r == 0 && newcomer->slot)
		r = claim_take_free(s, farm, newcomer->policy, newcomer->client, farm->next_ticket,
			      newcomer->slot, newcomer->target);
	else if ((r == 0 || r == 1) && newcomer->ticket)
		r = claim_join(s, farm, farm->next_ticket, newcomer->client, newcomer->ticket) ?: 1;
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
			if (r == -EUCLEAN)
				r = 0; /* it has its place, and must not be given another one; the next call mends */
		}
		r = r ?: outcome;
	}
	farm_leave(s);
	return r;
}

static int claim(struct score *s, const struct newcomer *newcomer)
{
	int r = claim_once(s, newcomer, true);

	if (r == 2) {
		r = once_reap(s, NULL, NULL);
		if (r == 0)
			r = claim_once(s, newcomer, false);
	}
	while (r == -EXFULL) {
		r = claim_grow_queue(s);
		if (r == 0)
			r = claim_once(s, newcomer, false);
	}
	return r;
}

int once_claim(struct score *s, enum score_policy policy, const char *client, size_t queue_limit,
		struct score_slot *ret, struct score_target *ret_target, struct score_ticket *ret_ticket)
{
	return claim(s, &(struct newcomer){ policy, client, queue_limit, ret, ret_target, ret_ticket });
}

int once_join(struct score *s, enum score_policy policy, const char *client, size_t queue_limit,
	       struct score_ticket *ret_ticket)
{
	return claim(s, &(struct newcomer){ policy, client, queue_limit, NULL, NULL, ret_ticket });
}

/*
 * Who stops waiting may have been the guard of older ones to whom a slot was
 * handed, and who were never told because the teller was killed. They are told
 * now; there are hardly ever any. (tests/model found it: TAKE_TELLS_NOBODY.)
 */
static int remind(struct score *s, const struct farm *farm, uint64_t number)
{
	uint64_t last = 0;
	struct cell cell;

	for (uint32_t at = farm->granted_head; at != NONE; at = cell.next) {
		int r = queue_read(s->store, farm, at, &cell);

		if (r < 0)
			return r;
		if (cell.number <= last)
			return -EUCLEAN; /* in a ring, perhaps */
		if (cell.number >= number)
			break;
		last = cell.number;
		(void)wake_list_add(&s->wakes, cell.wake);
	}
	return 0;
}

/*
 * A ticket that another process queued waits again, as the slot that it had been handed was lost: from now on it is
 * this one that is to be woken for it. Commits. 0 or -errno.
 */
static int wait_instead(struct score *s, const struct farm *farm, struct cell *cell)
{
	int r;

	if (holder_equal(&cell->owner, score_self(s)))
		return 0;
	r = wake_port_open(&s->port);
	if (r == 0)
		r = nudge(s, farm, cell->prev);
	if (r < 0)
		return r;
	cell->owner = *score_self(s);
	(void)memcpy(cell->wake, s->port.name, WAKE_NAME_SIZE);
	store_touch(s->store, cell, sizeof(*cell));
	return store_commit(s->store);
}

int once_take(struct score *s, const struct score_ticket *ticket,
	       struct score_slot *ret, struct score_target *ret_target)
{
	struct farm *farm;
	struct cell *cell;
	struct slot *slot;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	r = queue_find(s->store, farm, ticket, &cell);
	if (r == 0 && cell->state == CELL_WAITING)
		r = wait_instead(s, farm, cell) ?: 1;
	if (r == 0)
		r = slot_get(s->store, cell->node, cell->slot, &slot);
	if (r == 0 && (slot->state != SLOT_GRANTED || slot->ticket != ticket->number))
		r = -EUCLEAN;
	if (r == 0)
		r = describe_target(s, cell->node, ret_target);
	if (r == 0) {
		*ret = (struct score_slot){
			.node = cell->node, .slot = cell->slot, .ticket = ticket->number, .trial = slot->trial,
		};
		slot->holder = *score_self(s);
		slot->state = SLOT_BUSY;
		slot->cell = NONE;
		slot->since_usec = now_realtime();
		store_touch(s->store, slot, sizeof(*slot));
		r = queue_ungrant(s->store, farm, cell);
	}
	if (r == 0) {
		queue_free(s->store, farm, ticket->cell, cell);
		r = remind(s, farm, ticket->number);
	}
	if (r == 0)
		r = store_commit(s->store);
	farm_leave(s);
	return r;
}

int once_granted(struct score *s, const struct score_ticket *ticket)
{
	struct farm *farm;
	struct cell *cell;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	r = queue_find(s->store, farm, ticket, &cell);
	if (r == 0)
		r = cell->state == CELL_GRANTED;
	farm_leave(s);
	return r;
}

int once_leave(struct score *s, const struct score_ticket *ticket)
{
	struct node_record *record;
	struct farm *farm;
	struct cell *cell;
	struct slot *slot;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	r = queue_find(s->store, farm, ticket, &cell);
	if (r == 0 && cell->state == CELL_WAITING) {
		r = nudge(s, farm, cell->prev);
		if (r == 0)
			r = queue_unlink(s->store, farm, cell);
		if (r == 0)
			queue_free(s->store, farm, ticket->cell, cell);
		if (r == 0)
			r = remind(s, farm, ticket->number);
	} else if (r == 0) {
		uint32_t number = cell->slot;

		r = node_get(s->store, cell->node, &record);
		if (r == 0)
			r = slot_get(s->store, cell->node, number, &slot);
		if (r == 0)
			r = claim_free_slot(s, farm, record->position, slot, number);
		r = r == -ENOENT ? -EUCLEAN : r;
	}
	if (r == 0)
		r = claim_dispatch(s, farm, POLICY_FASTEST);
	farm_leave(s);
	return r;
}

int claim_preview(struct score *s, struct farm *farm, enum score_policy policy, uint32_t *ret)
{
	return choose(s, farm, policy, ret);
}
