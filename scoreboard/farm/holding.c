/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * holding.c: what happens to a slot that this process holds: its node was
 * reached, or was not, or is doubted; the slot is released. claim.c grants a
 * released slot to a waiter.
 */

#include <errno.h>
#include <string.h>

#include "claim.h"
#include "per_client.h"
#include "fair.h"
#include "learn.h"
#include "load.h"
#include "attempt.h"
#include "records/passed.h"
#include "records/history.h"
#include "records/patience.h"
#include "store/store.h"
#include "ticket.h"
#include "system/timespan.h"
#include "turn.h"

/* A section about a slot that this process holds. */
struct holding {
	const struct score_slot *ours;
	struct farm *farm;
	struct slot *slot;
	struct node_record *record;
	struct index_entry *entry;
};

/* The slot as the scoreboard has it, if this process still holds it. 0, -ESTALE, or -errno. */
static int find_ours(struct score *s, const struct farm *farm, const struct score_slot *ours, struct slot **ret)
{
	struct node_record *record;
	struct index_entry *entry;
	int r = slot_get(s->store, ours->node, ours->slot, ret);

	if (r == -EUCLEAN && node_find_entry(s->store, farm, ours->node, &record, &entry) == -ENOENT)
		return -ESTALE; /* the whole node has gone */
	if (r < 0)
		return r;
	if ((*ret)->state != SLOT_BUSY || (*ret)->ticket != ours->ticket || !holder_equal(&(*ret)->holder, &s->self))
		return -ESTALE;
	return 0;
}

/* Enters the section. 0; -ESTALE: this process does not hold the slot any more; or -errno. Not entered unless 0. */
static int enter(struct score *s, const struct score_slot *ours, struct holding *ret)
{
	int r;

	ret->ours = ours;
	r = farm_enter(s, &ret->farm);
	if (r < 0)
		return r;
	r = find_ours(s, ret->farm, ours, &ret->slot) ?:
	    node_get_entry(s->store, ret->farm, ours->node, &ret->record, &ret->entry);
	if (r < 0)
		farm_leave(s);
	return r;
}

static int free_slot(struct score *s, const struct holding *h)
{
	return claim_free_slot(s, h->farm, h->record->position, h->slot, h->ours->slot);
}

/* Unless r says that something failed, releases the slot and grants it to a waiter. Leaves the section. 0 or -errno. */
static int give_up(struct score *s, const struct holding *h, int r)
{
	bool gone = h->record->draining && h->entry->busy == 1;

	if (r == 0)
		r = free_slot(s, h) ?: claim_dispatch(s, h->farm);
	farm_leave(s);
	if (r == 0 && gone)
		(void)score_collect(s); /* if it cannot be done now, the next load or probe pass does it */
	return r;
}

static int set_flags(struct score *s, const struct holding *h, uint32_t set, uint32_t clear)
{
	return claim_set_flags(s, h->farm, h->record->position, set, clear);
}

/* A connection was answered: earlier doubts do not count any more. */
static void note_answer(struct score *s, struct node_record *record)
{
	record->success_usec = now_boottime();
	record->doubts = 0;
	store_touch(s->store, &record->success_usec, sizeof(record->success_usec));
	store_touch(s->store, &record->doubts, sizeof(record->doubts));
}

int attempt_release(struct score *s, const struct score_slot *ours, uint64_t in, uint64_t out, bool served)
{
	struct node_record *record;
	struct holding h;
	uint64_t now_usec;
	int r = enter(s, ours, &h);

	if (r < 0)
		return r;
	now_usec = now_boottime();
	record = h.record;
	record->served += served;
	record->failed += !served;
	record->bytes_in += in;
	record->bytes_out += out;
	store_touch(s->store, &record->served, 4 * sizeof(record->served));
	history_note_end(s->store, h.farm, h.slot->since_usec, now_usec, served);
	if (served && out > 0)
		note_answer(s, record);
	if (h.slot->trial) {
		/* The client left before the node answered: the next connection does not try the same node at once. */
		h.entry->key.retry_usec = node_next_trial_usec(record);
		r = set_flags(s, &h, 0, ENTRY_TRIAL_RUNS);
	}
	if (r == 0 && served)
		r = learn_hold(s->store, record, h.entry, h.slot, in, out, now_usec);
	if (served && s->patience_usec > 0)
		patience_learn(s->store, h.entry, now_usec - h.slot->since_usec);
	return give_up(s, &h, r < 0 ? r : 0);
}

/* Stages what a failed connect says of the node. */
static int fail_node(struct score *s, const struct holding *h, enum node_reason reason, uint64_t retry_usec,
		     struct score_edge *ret_edge)
{
	bool trial = h->slot->trial, down = h->record->flags & BN_DOWN, flapping = node_is_flapping(h->record);
	struct node_record *record = h->record;
	int r = 0;

	record->failed++;
	if (!down) {
		node_edge_begin(record, h->entry, reason, ret_edge);
		record->flags |= BN_DOWN;
		record->pause_usec = retry_usec;
		node_note_down(record);
	} else if (trial) {
		uint64_t most = retry_usec * NODE_RETRY_DOUBLINGS;

		record->pause_usec = record->pause_usec > most / 2 ? most : record->pause_usec * 2;
	}
	if (!down || trial) {
		if (!flapping) /* else a probe found that during the trial, and the node stays down until it was quiet */
			record->reason = reason;
		if (!flapping && !(record->flags & BN_HOLD)) /* while the node is held the words are the administrator's */
			(void)memset(record->detail, 0, sizeof(record->detail));
		h->entry->key.retry_usec = node_next_trial_usec(record);
		r = set_flags(s, h, 0, ENTRY_UP | ENTRY_TRIAL_OPEN | (trial ? ENTRY_TRIAL_RUNS : 0));
		if (!down)
			node_edge_end(record, h->entry, ret_edge);
	}
	store_touch(s->store, record, sizeof(*record));
	return r;
}

/* As enter(), and makes room in the queue: the step that releases the slot must also take a place in the queue. */
static int enter_with_room(struct score *s, const struct score_slot *ours, struct holding *ret)
{
	for (;;) {
		int r = enter(s, ours, ret);

		if (r < 0 || ret->farm->free_cell != NONE)
			return r;
		farm_leave(s);
		r = ticket_make_room(s);
		if (r < 0)
			return r;
	}
}

int attempt_failed(struct score *s, const struct score_slot *ours, enum node_reason reason, uint64_t retry_usec,
		const struct score_arrival *again, struct score_edge *ret_edge,
		struct score_slot *ret, struct score_target *ret_target, struct score_ticket *ret_ticket)
{
	uint64_t ticket = ours->ticket;
	struct holding h;
	int r;

	*ret_edge = (struct score_edge){ 0 };
	r = enter_with_room(s, ours, &h);
	if (r < 0)
		return r;
	r = fail_node(s, &h, reason, retry_usec, ret_edge) ?:
	    free_slot(s, &h) ?:
	    client_is_full(s, h.farm, again->client, again->per_client, 0, NULL) ?:
	    claim_take_free(s, h.farm, again->policy, again->client, ticket, ret, ret_target);
	if (r == 1)
		r = ticket_join(s, h.farm, ticket, again->policy, again->client, again->per_client, ret_ticket) ?: 1;
	if (r == 0)
		r = fair_held(s, h.farm, again->client);
	else if (r == 1)
		r = fair_waits(s, h.farm, ret_ticket->cell) ?: 1;
	if (r >= 0) {
		int outcome = r;

		/* Older waiters get slots first; then this process, if a slot is left. */
		r = claim_dispatch(s, h.farm);
		if (r == -EUCLEAN && store_commit(s->store) == 0)
			r = 0; /* as a newcomer's place in newcomer.c */
		r = r ?: outcome;
	}
	farm_leave(s);
	return r;
}

/* A trial has come to a good end. Staged only. */
static int trial_passed(struct score *s, const struct holding *h, struct score_edge *ret_edge)
{
	struct node_record *record = h->record;
	int r;

	h->slot->trial = 0;
	store_touch(s->store, h->slot, sizeof(*h->slot));
	if (!(record->flags & BN_DOWN))
		return set_flags(s, h, 0, ENTRY_TRIAL_RUNS);
	if (node_is_flapping(record)) /* a probe found that during the trial, which does not count any more */
		return set_flags(s, h, 0, ENTRY_TRIAL_OPEN | ENTRY_TRIAL_RUNS);
	node_edge_begin(record, h->entry, (enum node_reason)record->reason, ret_edge);
	record->flags &= ~BN_DOWN;
	record->reason = REASON_NONE;
	record->fall = 0;
	record->doubts = 0;
	store_touch(s->store, record, sizeof(*record));
	h->entry->key.retry_usec = UINT64_MAX;
	r = set_flags(s, h, ENTRY_UP, ENTRY_TRIAL_OPEN | ENTRY_TRIAL_RUNS);
	node_edge_end(record, h->entry, ret_edge);
	return r;
}

/* The node ended the connection without an answer, and its key silent says that it does so: this counts as served.
 * Staged only. */
static int served_silently(struct score *s, const struct holding *h, uint64_t in, struct score_edge *ret_edge)
{
	h->record->served++;
	h->record->bytes_in += in;
	store_touch(s->store, &h->record->served, 4 * sizeof(h->record->served));
	note_answer(s, h->record);
	history_note_end(s->store, h->farm, h->slot->since_usec, now_boottime(), true);
	return h->slot->trial ? trial_passed(s, h, ret_edge) : 0;
}

int attempt_doubted(struct score *s, const struct score_slot *ours, uint64_t in, enum node_reason reason,
		 uint64_t retry_usec, struct score_edge *ret_edge)
{
	struct holding h;
	bool last;
	int r;

	*ret_edge = (struct score_edge){ 0 };
	r = enter(s, ours, &h);
	if (r < 0)
		return r;
	if (reason == REASON_SILENT && h.record->config.silent)
		return give_up(s, &h, served_silently(s, &h, in, ret_edge));
	last = h.farm->primaries_up <= index_is_primary_up(h.entry->flags);
	h.record->bytes_in += in;
	if (h.record->doubts < UINT32_MAX)
		h.record->doubts++;
	store_touch(s->store, h.record, sizeof(*h.record));
	if (h.slot->trial || (h.record->doubts >= SCORE_DOUBTS_MAX && !last)) {
		r = fail_node(s, &h, reason, retry_usec, ret_edge);
	} else {
		h.record->failed++;
		history_note_end(s->store, h.farm, h.slot->since_usec, now_boottime(), false);
	}
	return give_up(s, &h, r);
}

int attempt_pass_trial(struct score *s, const struct score_slot *ours, bool answered, struct score_edge *ret_edge)
{
	struct holding h;
	int r;

	*ret_edge = (struct score_edge){ 0 };
	r = enter(s, ours, &h);
	if (r < 0)
		return r;
	if (h.slot->trial && !answered && h.record->flags & BN_DOWN && h.record->reason == REASON_SILENT &&
	    !h.record->config.silent) {
		r = 1;
	} else if (h.slot->trial) {
		r = trial_passed(s, &h, ret_edge) ?: claim_dispatch(s, h.farm);
	}
	farm_leave(s);
	return r;
}

static int rename_once(struct score *s, const struct score_slot *ours, const char *client)
{
	size_t size = strnlen(client, SCORE_CLIENT_MAX);
	struct holding h;
	int r = enter(s, ours, &h);

	if (r < 0)
		return r;
	if (h.farm->queue_head != NONE)
		turn_make_room(s, h.slot->client);
	if (*s->room_for)
		passed_forget(s->store); /* the next look, for the client that may have a slot, is another process's */
	r = fair_released(s, h.farm, h.slot);
	(void)memset(h.slot->client, 0, sizeof(h.slot->client));
	(void)memcpy(h.slot->client, client, size);
	store_touch(s->store, h.slot, sizeof(*h.slot));
	if (r == 0)
		r = fair_held(s, h.farm, h.slot->client) ?: store_commit(s->store);
	farm_leave(s);
	return r;
}

int attempt_rename(struct score *s, const struct score_slot *ours, const char *client)
{
	return WITH_ROOM(s, rename_once(s, ours, client));
}

int attempt_is_over(struct score *s, const struct score_slot *ours, uint32_t per_client)
{
	struct holding h;
	int r = enter(s, ours, &h);

	if (r < 0)
		return r;
	r = client_is_full(s, h.farm, h.slot->client, per_client, ours->ticket, NULL);
	farm_leave(s);
	return r;
}

int attempt_progress(struct score *s, const struct score_slot *ours, uint64_t in, uint64_t out)
{
	struct holding h;
	int r = enter(s, ours, &h);

	if (r < 0)
		return r;
	h.slot->in = in;
	h.slot->out = out;
	store_touch(s->store, h.slot, sizeof(*h.slot));
	r = store_commit(s->store);
	farm_leave(s);
	return r;
}

/* ---- a probe's slot ---- */

/* Stages that this process takes a slot of the node, if one is free. 0, 1 if none is, or -errno. */
static int take_of_node(struct score *s, struct farm *farm, const struct node_record *record, struct index_entry *entry,
			const char *client, struct score_slot *ret)
{
	struct slot with = {
		.holder = s->self, .ticket = farm->next_ticket, .since_usec = now_boottime(),
		.state = SLOT_BUSY, .cell = NONE,
	};

	/* A node that is held or down is probed all the same. A node that another process tries is not. */
	if (entry->busy >= entry->limit || farm_is_lapsed(farm) || entry->flags & ENTRY_DRAINING ||
	    (entry->flags & (ENTRY_UP | ENTRY_TRIAL_RUNS)) == ENTRY_TRIAL_RUNS)
		return 1;
	(void)memcpy(with.client, client, strnlen(client, SCORE_CLIENT_MAX));
	*ret = (struct score_slot){ .ticket = farm->next_ticket++ };
	store_touch(s->store, farm, sizeof(*farm));
	if (!(entry->flags & ENTRY_UP))
		entry->key.retry_usec = UINT64_MAX; /* the probe is its trial */
	return fair_held(s, farm, with.client) ?:
	       claim_occupy(s, farm, record->position, entry, &with, &ret->node, &ret->slot, &ret->trial);
}

static int claim_node_once(struct score *s, uint32_t node, const char *client, struct score_slot *ret,
			   char ret_name[static NODE_NAME_MAX + 1], bool *ret_served)
{
	struct section at;
	int r, outcome;

	(void)wake_port_open(&s->port); /* as for a connection, see newcomer.c */
	r = section_enter(s, node, &at);
	if (r < 0)
		return r;
	(void)memcpy(ret_name, at.record->config.name, NODE_NAME_MAX + 1);
	*ret_served = at.record->served != at.record->served_seen;
	at.record->served_seen = at.record->served;
	store_touch(s->store, &at.record->served_seen, sizeof(at.record->served_seen));
	outcome = take_of_node(s, at.farm, at.record, at.entry, client, ret);
	r = outcome < 0 ? outcome : store_commit(s->store) ?: outcome;
	farm_leave(s);
	return r;
}

int attempt_claim_node(struct score *s, uint32_t node, const char *client, struct score_slot *ret,
		       char ret_name[static NODE_NAME_MAX + 1], bool *ret_served)
{
	return WITH_ROOM(s, claim_node_once(s, node, client, ret, ret_name, ret_served));
}

int attempt_unclaim(struct score *s, const struct score_slot *ours, bool judged)
{
	struct holding h;
	int r = enter(s, ours, &h);

	if (r < 0)
		return r;
	if (h.slot->trial && judged && (h.entry->flags & (ENTRY_UP | ENTRY_TRIAL_RUNS)) == ENTRY_TRIAL_RUNS) {
		/* The node is as bad as it was. */
		h.entry->key.retry_usec = node_next_trial_usec(h.record);
		r = set_flags(s, &h, 0, ENTRY_TRIAL_RUNS);
	}
	return give_up(s, &h, r);
}
