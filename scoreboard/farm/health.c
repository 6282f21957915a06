/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * health.c: whether a node may be used. What an administrator decided (BN_HOLD),
 * what probes and connects found (BN_DOWN) and what the node's agent says are
 * kept apart: each of the three changes only its own part.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "claim.h"
#include "learn.h"
#include "attempt.h"
#include "records/patience.h"
#include "store/store.h"
#include "system/timespan.h"
#include "walk.h"

static void write_detail(struct node_record *record, const char *detail)
{
	(void)memset(record->detail, 0, sizeof(record->detail));
	if (detail)
		(void)memcpy(record->detail, detail, strnlen(detail, NODE_DETAIL_MAX));
}

int attempt_hold(struct score *s, const char *name, bool hold, const char *detail)
{
	struct node_record *record;
	struct section at;
	uint32_t id;
	bool was;
	int r = walk_find(s, name, &id, NULL) ?: section_enter(s, id, &at);

	if (r < 0)
		return r;
	record = at.record;
	was = record->flags & BN_HOLD;
	if (hold ? !was || detail : was) {
		/* The words of this decision; without new ones a node that is held already keeps its own. A check's
		 * words come back with its next result. */
		write_detail(record, detail);
	}
	if (was != hold)
		record->since_usec = now_realtime();
	record->flags = hold ? record->flags | BN_HOLD : record->flags & ~BN_HOLD;
	store_touch(s->store, record, sizeof(*record));
	r = claim_set_flags(s, at.farm, record->position, hold ? ENTRY_HELD : 0, hold ? 0 : ENTRY_HELD) ?:
	    claim_dispatch(s, at.farm);
	if (r == 0)
		r = was == hold;
	farm_leave(s);
	return r;
}

int attempt_pause(struct score *s, bool paused)
{
	struct farm *farm;
	bool same;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	same = !farm->paused == !paused;
	farm->paused = paused;
	store_touch(s->store, &farm->paused, sizeof(farm->paused));
	r = store_commit(s->store);
	if (r == 0 && !paused)
		r = claim_dispatch(s, farm);
	farm_leave(s);
	return r < 0 ? r : same;
}

int attempt_set_verbosity(struct score *s, uint32_t verbosity, uint32_t *ret_before)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	*ret_before = farm->verbosity;
	farm->verbosity = s->verbosity = verbosity;
	store_touch(s->store, &farm->verbosity, sizeof(farm->verbosity));
	r = store_commit(s->store);
	farm_leave(s);
	return r;
}

static void count(uint32_t *counter)
{
	if (*counter < UINT32_MAX)
		++*counter;
}

static void set_detail(struct node_record *record, const char *detail)
{
	/* While the node is held the words are the administrator's. */
	if (!(record->flags & BN_HOLD))
		write_detail(record, detail);
}

/* Sets a flapping node's detail: why the node went down the last time. */
static void set_detail_of_flapping(struct node_record *record, enum node_reason reason, const char *detail)
{
	char text[NODE_DETAIL_MAX + 64]; /* is cut at its end */

	if (!detail || record->flags & BN_HOLD)
		detail = "";
	(void)snprintf(text, sizeof(text), "%s%s%s", reason_to_string(reason), *detail ? ": " : "", detail);
	set_detail(record, text);
}

/* Notes why the node is down now. */
static void set_reason(struct node_record *record, enum node_reason reason, const char *detail)
{
	if (node_is_flapping(record)) {
		set_detail_of_flapping(record, reason, detail);
	} else {
		record->reason = reason;
		set_detail(record, detail);
	}
}

/* Whether the node went down too often within the time that counts. */
static bool has_flapped(const struct node_record *record, const struct score_verdict *verdict, uint64_t now_usec)
{
	uint64_t first_usec = verdict->flaps > 0 && verdict->flaps <= SCORE_FLAPS_MAX ? record->downs[verdict->flaps - 1] : 0;

	/* A time in the future is of before a restart of the machine. */
	return first_usec > 0 && first_usec <= now_usec && now_usec - first_usec < verdict->flap_usec;
}

/* Keeps a node that is down down for a while, whatever success probes and trials have. */
static int damp(struct score *s, struct farm *farm, struct node_record *record, struct index_entry *entry,
		const struct score_verdict *verdict)
{
	if (record->reason != REASON_FLAPPING) {
		set_detail_of_flapping(record, (enum node_reason)record->reason, record->detail);
		record->reason = REASON_FLAPPING;
	}
	if (__builtin_add_overflow(now_boottime(), verdict->flap_usec, &record->quiet_usec))
		record->quiet_usec = UINT64_MAX - 1;
	entry->key.retry_usec = node_next_trial_usec(record);
	return claim_set_flags(s, farm, record->position, 0, ENTRY_TRIAL_OPEN);
}

/* Makes the node available, or unavailable. */
static int turn(struct score *s, struct farm *farm, struct node_record *record, struct index_entry *entry,
		const struct score_verdict *verdict, struct score_edge *ret_edge)
{
	int r;

	node_edge_begin(record, entry, verdict->success ? (enum node_reason)record->reason : verdict->reason, ret_edge);
	record->flags ^= BN_DOWN;
	record->reason = verdict->success ? REASON_NONE : verdict->reason;
	record->pause_usec = NODE_RETRY_USEC;
	set_detail(record, verdict->detail);
	if (verdict->success) {
		record->doubts = 0;
		entry->key.retry_usec = UINT64_MAX;
		r = claim_set_flags(s, farm, record->position, ENTRY_UP, ENTRY_TRIAL_OPEN);
	} else {
		node_note_down(record);
		entry->key.retry_usec = node_next_trial_usec(record);
		r = claim_set_flags(s, farm, record->position, 0, ENTRY_UP);
		if (r == 0 && has_flapped(record, verdict, now_boottime())) {
			r = damp(s, farm, record, entry, verdict);
			ret_edge->reason = REASON_FLAPPING;
		}
	}
	node_edge_end(record, entry, ret_edge);
	return r;
}

/* Counts a success. Returns whether the success puts the node up. */
static bool count_success(struct node_record *record, const struct score_verdict *verdict)
{
	count(&record->rise);
	record->fall = 0;
	record->success_usec = now_boottime();
	return record->flags & BN_DOWN && record->rise >= verdict->rise && !node_is_flapping(record) &&
	       !(verdict->shallow && record->reason == REASON_SILENT);
}

/* Counts a failure. Returns whether the failure takes the node down. */
static bool count_failure(struct node_record *record, const struct score_verdict *verdict)
{
	uint64_t now_usec = now_boottime();

	count(&record->fall);
	record->rise = 0;
	if (record->success_usec == 0 || record->success_usec > now_usec)
		record->success_usec = now_usec; /* no success since the machine started: the time begins here */
	if (record->flags & BN_DOWN)
		return false;
	return record->fall >= verdict->fall ||
	       (verdict->down_after_usec > 0 && now_usec - record->success_usec >= verdict->down_after_usec);
}

/* Takes in a result for a node that stays down. */
static int stay_down(struct score *s, struct farm *farm, struct node_record *record, struct index_entry *entry,
		     const struct score_verdict *verdict)
{
	bool flapping = node_is_flapping(record);

	if (!verdict->success)
		set_reason(record, verdict->reason, verdict->detail);
	/* Damping begins here if a relay found the last of too many downs. A failure begins it anew. */
	if (flapping ? !verdict->success && verdict->flaps > 0 : has_flapped(record, verdict, now_boottime()))
		return damp(s, farm, record, entry, verdict);
	return 0;
}

/*
 * As section_enter(). -ENOENT also if the node has another check than that by now: what the former check has found tells
 * nothing of the node, and an agent that is not asked any more could not take back what it said. check may be NULL.
 */
static int enter_as_checked(struct score *s, uint32_t node, const char *check, struct section *ret)
{
	int r = section_enter(s, node, ret);

	if (r < 0 || !check || strcmp(ret->record->config.check, check) == 0)
		return r;
	farm_leave(s);
	return -ENOENT;
}

int attempt_verdict(struct score *s, uint32_t node, const struct score_verdict *verdict, struct score_edge *ret_edge)
{
	struct node_record *record;
	struct section at;
	bool edge;
	int r = enter_as_checked(s, node, verdict->check, &at);

	if (r < 0)
		return r;
	record = at.record;
	if (record->flags & BN_DOWN)
		r = stay_down(s, at.farm, record, at.entry, verdict);
	else if (verdict->success)
		set_detail(record, verdict->detail); /* a warning, or no warning any more */
	edge = verdict->success ? count_success(record, verdict) : count_failure(record, verdict);
	store_touch(s->store, record, sizeof(*record));
	if (r == 0)
		r = learn_compile(s->store, record, at.entry, verdict->success ? verdict->work_usec : 0);
	if (r == 1)
		r = index_update(s->store, at.farm, record->position);
	if (r == 0 && edge)
		r = turn(s, at.farm, record, at.entry, verdict, ret_edge);
	if (r == 0)
		r = store_commit(s->store);
	if (r == 0 && edge)
		r = claim_dispatch(s, at.farm);
	farm_leave(s);
	return r < 0 ? r : edge;
}

/* Stages what the agent's words change in the node's record and entry. */
static int obey(struct score *s, struct farm *farm, struct node_record *record, struct index_entry *entry,
		const struct agent *agent, struct score_edge *ret_edge)
{
	struct index_entry before = *entry;
	int r;

	node_edge_begin(record, entry, node_reason(record, node_state(record, entry)), ret_edge);
	record->agent = *agent;
	entry->limit = node_limit(record);
	(void)node_set_speed(record, entry);
	patience_changed(s->store, &before, entry);
	r = agent_reason(agent) ? claim_set_flags(s, farm, record->position, ENTRY_AGENT, 0)
				: claim_set_flags(s, farm, record->position, 0, ENTRY_AGENT);
	node_edge_end(record, entry, ret_edge);
	if (ret_edge->after != NODE_UP)
		ret_edge->reason = node_reason(record, ret_edge->after);
	store_touch(s->store, record, sizeof(*record));
	return r;
}

int attempt_agent(struct score *s, uint32_t node, const char *check, const char *text, struct agent_line *ret,
		  struct score_edge *ret_edge)
{
	struct section at;
	int r;

	*ret_edge = (struct score_edge){ 0 };
	r = enter_as_checked(s, node, check, &at);
	if (r < 0)
		return r;
	agent_read(text, &at.record->agent, ret);
	if (memcmp(&ret->agent, &at.record->agent, sizeof(ret->agent)) != 0) {
		r = obey(s, at.farm, at.record, at.entry, &ret->agent, ret_edge) ?:
		    claim_dispatch(s, at.farm);
	}
	farm_leave(s);
	return r < 0 ? r : ret_edge->before != ret_edge->after;
}

int attempt_set_fingerprint(struct score *s, uint32_t node, const char *check, const char *fingerprint,
			  char ret_before[static NODE_FINGERPRINT_MAX + 1])
{
	struct node_record *record;
	struct section at;
	int r = enter_as_checked(s, node, check, &at);
	bool other;

	if (r < 0)
		return r;
	record = at.record;
	(void)memcpy(ret_before, record->fingerprint, sizeof(record->fingerprint));
	other = strncmp(record->fingerprint, fingerprint, NODE_FINGERPRINT_MAX) != 0;
	if (other) {
		(void)memset(record->fingerprint, 0, sizeof(record->fingerprint));
		(void)memcpy(record->fingerprint, fingerprint, strnlen(fingerprint, NODE_FINGERPRINT_MAX));
		store_touch(s->store, record->fingerprint, sizeof(record->fingerprint));
		r = store_commit(s->store);
	}
	farm_leave(s);
	return r < 0 ? r : other;
}

#define AGED_AT_ONCE 32u

/* Ages some nodes from *from on, and sets *from behind them. 1 if there are more, 0 if not, or -errno. */
static int age_some(struct score *s, uint32_t *from)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	for (uint32_t n = 0; r == 0 && n < AGED_AT_ONCE && *from < farm->n_nodes; n++, ++*from) {
		struct node_record *record;
		struct index_entry *entry;

		r = index_get(s->store, farm, *from, &entry) ?:
		    node_get(s->store, entry->id, &record) ?:
		    learn_compile(s->store, record, entry, 0);
		if (r == 1)
			r = index_update(s->store, farm, *from);
		if (r == 0)
			r = store_commit(s->store);
		store_trim(s->store);
	}
	if (r == 0)
		r = *from < farm->n_nodes;
	farm_leave(s);
	return r;
}

/* A node that is down has its first address: from now on connections try it, too. */
static int open_to_trials(struct score *s, const struct section *at)
{
	at->entry->key.retry_usec = node_next_trial_usec(at->record);
	return index_update(s->store, at->farm, at->record->position);
}

int attempt_reached(struct score *s, const struct score_slot *ours, const struct score_target *tried, unsigned reached,
		    uint32_t unreached)
{
	struct section at;
	int r = section_enter(s, ours->node, &at), changed;

	if (r < 0)
		return r;
	changed = node_reach(at.record, tried, reached, unreached);
	store_touch(s->store, at.record, sizeof(*at.record));
	r = store_commit(s->store) ?: changed;
	farm_leave(s);
	return r;
}

int attempt_set_addresses(struct score *s, uint32_t node, const struct score_address *addresses, unsigned n)
{
	struct section at;
	int r = section_enter(s, node, &at);
	bool same, is_first;

	if (r < 0)
		return r;
	is_first = at.record->n_addresses == 0 && n > 0;
	same = !node_set_addresses(at.record, addresses, n);
	store_touch(s->store, at.record, sizeof(*at.record));
	if (is_first && at.record->flags & BN_DOWN)
		r = open_to_trials(s, &at);
	if (r == 0)
		r = store_commit(s->store) ?: same;
	farm_leave(s);
	return r;
}

int attempt_age(struct score *s)
{
	uint32_t from = 0;
	int r;

	do {
		r = age_some(s, &from);
	} while (r == 1);
	return r;
}
