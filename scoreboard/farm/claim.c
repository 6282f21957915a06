/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * claim.c: the only place where slots change hands.
 *
 * What holds between sections: no slot is free while a connection waits, unless
 *   - the farm is paused, or its lease is over;
 *   - the client of each waiter has as many slots as it may (per_client.h);
 *   - the slot is kept for a time, as the next waiter is to get a faster slot
 *     (patience.h).
 * Everything that frees a slot, or makes a slot appear, ends with
 * claim_dispatch(), and a new connection that finds a queue joins it. So the
 * oldest waiter gets the next slot and no connection overtakes another; in a
 * farm that is fair, the oldest waiter of the client that holds the fewest slots.
 *
 * A slot that is granted to a waiter belongs to that process at once. Taking the
 * slot only notes that the process uses it. A waiter that dies in between is
 * found like any dead holder. A waiter may be granted a slot and never be told:
 * the process that granted it was killed between the commit and the wake-up. The
 * guard tells such a waiter again, see reap.c.
 */

#include "claim.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "attempt.h"
#include "fair.h"
#include "policy/policy.h"
#include "records/history.h"
#include "records/patience.h"
#include "store/store.h"
#include "system/timespan.h"
#include "turn.h"

#define DEALT_AT_ONCE 8u /* grants, or trials that are opened, in one section */

int claim_set_flags(struct score *s, struct farm *farm, uint32_t position, uint32_t set, uint32_t clear)
{
	struct index_entry *entry, before;
	int r = index_get(s->store, farm, position, &entry);

	if (r < 0)
		return r;
	before = *entry;
	farm->primaries_up -= index_is_primary_up(entry->flags);
	farm->nodes_up -= index_is_up(entry->flags);
	entry->flags = (entry->flags & ~clear) | set;
	patience_changed(s->store, &before, entry);
	farm->primaries_up += index_is_primary_up(entry->flags);
	farm->nodes_up += index_is_up(entry->flags);
	store_touch(s->store, farm, sizeof(*farm));
	return index_update(s->store, farm, position);
}

/* ---- choosing ---- */

/* Whether a node takes a connection now. A backup is used only while no other node is up, however busy those are. */
static bool is_any_free(const struct farm *farm)
{
	return farm->root.worth != 0 && !farm->paused && !farm_is_lapsed(farm) &&
	       (farm->root.worth & WORTH_PRIMARY || farm->primaries_up == 0);
}

int claim_choose(struct score *s, struct farm *farm, enum score_policy policy, const char *client, uint32_t *ret)
{
	const struct policy_request request = { .primary = farm->root.worth & WORTH_PRIMARY, .client = client };

	return is_any_free(farm) ? policy_get(policy)->choose(s->store, farm, &request, ret) : 1;
}

bool claim_is_ready(const struct farm *farm, const struct score_arrival *arrival)
{
	const struct policy *policy = policy_get(arrival->policy);

	return (!policy->is_ready || policy->is_ready(farm, arrival)) && fair_is_ready(farm, arrival);
}

static int make_ready(struct score *s, struct farm *farm, const struct score_arrival *arrival)
{
	const struct policy *policy = policy_get(arrival->policy);
	int r = 0;

	if (policy->is_ready && !policy->is_ready(farm, arrival))
		r = policy->make_ready(s->store, farm, arrival);
	return r == 0 && !fair_is_ready(farm, arrival) ? fair_make_ready(s, farm) : r;
}

int claim_make_ready(struct score *s, const struct score_arrival *arrival)
{
	struct farm farm;
	int r = farm_begin(s, &farm);

	if (r == 0)
		r = farm_end(s, &farm, make_ready(s, &farm, arrival));
	return r == -EUCLEAN || r == -EIDRM || r == -EREMCHG ? r : 0;
}

bool claim_is_patient(const struct score *s, enum score_policy policy)
{
	return s->patience_usec > 0 && policy == POLICY_FASTEST;
}

bool claim_keeps(struct score *s, const struct farm *farm, uint64_t waiting, bool *ret_begins)
{
	struct patience *patience = patience_get(s->store);
	uint64_t before_usec;
	bool keeps;

	*ret_begins = false;
	if (!patience)
		return false;
	before_usec = patience->until_usec;
	keeps = patience_keeps(patience, farm->root.worth & ~WORTH_PRIMARY, waiting, now_boottime());
	store_touch(s->store, patience, offsetof(struct patience, work_usec));
	s->kept_usec = patience->until_usec;
	*ret_begins = keeps && patience->until_usec != before_usec;
	return keeps;
}

/* Slots were dealt, and none that is free is kept. If a slot was kept before, its time ends. Staged only. */
static void end_keeping(struct score *s)
{
	struct patience *patience = patience_get(s->store);

	if (!patience || patience->until_usec == 0)
		return;
	patience_end(patience, now_boottime());
	store_touch(s->store, patience, offsetof(struct patience, work_usec));
}

/* ---- filling and freeing ---- */

int claim_occupy(struct score *s, struct farm *farm, uint32_t position, struct index_entry *entry, const struct slot *with,
		 uint32_t *ret_node, uint32_t *ret_number, bool *ret_trial)
{
	bool trial = !(entry->flags & ENTRY_UP);
	struct slot *slot;
	int r = slot_pop(s->store, entry, &slot, ret_number);

	if (r < 0)
		return r;
	*slot = *with;
	slot->trial = trial;
	slot->next_free = NONE;
	store_touch(s->store, slot, sizeof(*slot));

	entry->busy++;
	farm->busy++;
	store_touch(s->store, &farm->busy, sizeof(farm->busy));
	*ret_node = entry->id;
	*ret_trial = trial;
	if (trial)
		return claim_set_flags(s, farm, position, ENTRY_TRIAL_RUNS, ENTRY_TRIAL_OPEN);
	return index_update(s->store, farm, position);
}

/* Lets the policy note which node a client has got. Staged only. */
static int took(struct score *s, const struct farm *farm, enum score_policy policy, const char *client, uint32_t node)
{
	const struct policy *what = policy_get(policy);

	return what->took ? what->took(s->store, farm, client, node) : 0;
}

/* As claim_occupy(), of a node that was chosen for a connection. */
static int fill(struct score *s, struct farm *farm, uint32_t position, const struct slot *with,
		uint32_t *ret_node, uint32_t *ret_number, bool *ret_trial)
{
	struct index_entry *entry;
	int r = index_get(s->store, farm, position, &entry);

	if (r < 0)
		return r;
	if (index_entry_free(entry) == 0)
		return -EUCLEAN;
	return claim_occupy(s, farm, position, entry, with, ret_node, ret_number, ret_trial);
}

/* Ends a trial that showed neither that the node can be reached nor that it cannot. The next connection may try the
 * node at once, unless the node must be quiet first. */
static int end_trial(struct score *s, struct farm *farm, uint32_t position, struct index_entry *entry)
{
	struct node_record *record;
	int r = node_get(s->store, entry->id, &record);

	if (r < 0)
		return r;
	if (!node_is_flapping(record))
		return claim_set_flags(s, farm, position, entry->flags & ENTRY_UP ? 0 : ENTRY_TRIAL_OPEN,
				       ENTRY_TRIAL_RUNS);
	entry->key.retry_usec = node_next_trial_usec(record);
	return claim_set_flags(s, farm, position, 0, ENTRY_TRIAL_RUNS);
}

int claim_free_slot(struct score *s, struct farm *farm, uint32_t position, struct slot *slot, uint32_t number)
{
	bool trial = slot->trial, counted = slot->state != SLOT_LOST;
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
	if (counted && farm->queue_head != NONE)
		turn_make_room(s, slot->client);
	r = fair_released(s, farm, slot);
	if (r < 0)
		return r;
	slot_push(s->store, entry, slot, number);
	entry->busy--;
	farm->busy--;
	store_touch(s->store, &farm->busy, sizeof(farm->busy));
	if (trial && entry->flags & ENTRY_TRIAL_RUNS)
		return end_trial(s, farm, position, entry);
	return index_update(s->store, farm, position);
}

int claim_open_due(struct score *s, struct farm *farm)
{
	uint64_t now_usec = farm->root.retry_usec != UINT64_MAX ? now_boottime() : 0;
	uint32_t position;
	int r;

	if (now_usec == 0)
		return 0; /* every claim comes here: without a trial to come there is no need to ask for the time */
	for (unsigned n = 0; (r = index_first_due(s->store, farm, now_usec, &position)) == 0; n++) {
		struct index_entry *entry;

		if (n == DEALT_AT_ONCE) {
			s->undealt = true;
			break;
		}
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

/* The next waiter that lives and may have a slot. Dead waiters before it are dropped. 0, 1 if there is none, or -errno. */
static int next_alive(struct score *s, struct farm *farm, struct clients_full *full, struct cell **ret, uint32_t *ret_number)
{
	for (;;) {
		uint32_t number;
		struct cell *cell;
		int r = turn_next(s, farm, full, &number);

		if (r != 0)
			return r;
		r = queue_get(s->store, farm, number, &cell);
		if (r < 0)
			return r;
		if (holder_equal(&cell->owner, &s->self) || holder_alive_still(&s->waits, &cell->owner)) {
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
}

/* Stages the grant of a slot of the node at position to a waiter. */
static int grant(struct score *s, struct farm *farm, uint32_t position, struct cell *cell, uint32_t number)
{
	struct slot with = {
		.holder = cell->owner, .ticket = cell->number, .since_usec = now_boottime(),
		.state = SLOT_GRANTED, .cell = number,
	};
	bool trial;
	int r;

	(void)memcpy(with.client, cell->client, sizeof(with.client));
	r = queue_unlink(s->store, farm, cell) ?:
	    fill(s, farm, position, &with, &cell->node, &cell->slot, &trial) ?:
	    fair_held(s, farm, cell->client) ?:
	    took(s, farm, cell_policy(cell), cell->client, cell->node);
	if (r == 0)
		history_note_claim(s->store, farm, cell->since_usec, with.since_usec);
	return r < 0 ? r : queue_grant(s->store, farm, number, cell);
}

/*
 * Whether the slots that are free are kept from the waiter that is next, and from all behind it. When that begins
 * the guard of the queue, the process with the youngest ticket, is woken: it deals the slots when the time is over, unless
 * another process has done so. 1, 0 or -errno.
 */
static int keep(struct score *s, const struct farm *farm, const struct cell *next)
{
	struct cell youngest;
	bool begins;
	int r;

	if (!(next->policy & CELL_PATIENT))
		return 0;
	s->is_patient = true;
	if (!claim_keeps(s, farm, farm->queue_length, &begins))
		return 0;
	if (!begins)
		return 1;
	r = queue_read(s->store, farm, farm->queue_tail, &youngest);
	if (r == 0 && !holder_equal(&youngest.owner, &s->self))
		(void)wake_list_add(&s->wakes, youngest.wake);
	return r < 0 ? r : 1;
}

static int dispatch(struct score *s, struct farm *farm, struct clients_full *full)
{
	int r;

	for (unsigned n = 0;; n++) {
		uint32_t position, number;
		struct cell *cell;

		if (farm->queue_head == NONE || !is_any_free(farm))
			break;
		if (n == DEALT_AT_ONCE) {
			s->undealt = true;
			break;
		}
		r = next_alive(s, farm, full, &cell, &number) ?:
		    claim_choose(s, farm, cell_policy(cell), cell->client, &position);
		if (r == 0)
			r = keep(s, farm, cell);
		if (r != 0)
			return r < 0 ? r : 0;
		r = grant(s, farm, position, cell, number) ?: store_commit(s->store);
		if (r < 0)
			return r;
		if (wake_list_add(&s->wakes, cell->wake))
			wake_list_send(&s->wakes, &s->port);
		store_trim(s->store);
	}
	return 0;
}

int claim_dispatch(struct score *s, struct farm *farm)
{
	struct clients_full full = { .n = 0 };
	int r;

	s->kept_usec = 0;
	r = dispatch(s, farm, &full) ?: turn_settle(s, farm, &full);
	if (r == 0 && s->is_patient && s->kept_usec == 0)
		end_keeping(s);

	*s->room_for = '\0';
	return r ?: store_commit(s->store);
}

int attempt_deal(struct score *s)
{
	struct farm *farm;

	return IN_SECTION(s, farm, claim_open_due(s, farm) ?: claim_dispatch(s, farm));
}

int claim_describe(struct score *s, uint32_t node, struct score_target *ret)
{
	struct node_record *record;
	int r = node_get(s->store, node, &record);

	if (r < 0)
		return r;
	(void)memcpy(ret->name, record->config.name, sizeof(ret->name));
	ret->proxy = record->config.proxy;
	ret->n_addresses = node_get_addresses(record, ret->addresses);
	return 0;
}

/* Takes a free slot for this process, if there is one and no ticket before this one waits. 0, 1, or -errno. */
int claim_take_free(struct score *s, struct farm *farm, enum score_policy policy, const char *client, uint64_t ticket,
		    struct score_slot *ret, struct score_target *ret_target)
{
	struct slot with = {
		.holder = s->self, .ticket = ticket, .since_usec = now_boottime(),
		.state = SLOT_BUSY, .cell = NONE,
	};
	uint32_t position;
	int r;

	if (farm->queue_head != NONE) {
		struct cell head;

		if (farm->fair)
			return 1; /* the next may be another, whichever is the oldest */
		r = queue_read(s->store, farm, farm->queue_head, &head);
		if (r < 0)
			return r;
		if (head.number < ticket)
			return 1;
	}
	r = claim_choose(s, farm, policy, client, &position);
	if (r != 0)
		return r;
	(void)memcpy(with.client, client, strnlen(client, SCORE_CLIENT_MAX));
	*ret = (struct score_slot){ .ticket = ticket };
	r = fill(s, farm, position, &with, &ret->node, &ret->slot, &ret->trial) ?:
	    took(s, farm, policy, client, ret->node);
	if (r == 0)
		history_note_claim(s->store, farm, with.since_usec, with.since_usec);
	if (r == 0)
		r = claim_describe(s, ret->node, ret_target);
	return r;
}

int claim_is_free(const struct farm *farm)
{
	return farm->queue_head == NONE && is_any_free(farm) ? 0 : 1;
}
