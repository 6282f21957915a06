/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * load.c: merges a node list into the scoreboard. All in one transaction: the
 * farm is first drawn up in memory, as a list of seats in the new order, each
 * with its record and index entry; then everything that changed is written.
 */

#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "claim.h"
#include "learn.h"
#include "attempt.h"
#include "records/history.h"
#include "records/ring.h"
#include "system/grow.h"
#include "system/resolve.h"
#include "system/timespan.h"
#include "store/version.h"

#define RESOLVE_USEC (10 * USEC_PER_SEC)

/* A node's place in the farm that is being drawn up. */
struct seat {
	struct node_record record;
	struct index_entry entry;
	bool is_new, is_listed;
};

struct plan {
	struct seat **seats;
	uint32_t n;
	size_t room;
};

static void plan_clear(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n; i++)
		free(plan->seats[i]);
	free(plan->seats);
	*plan = (struct plan){ 0 };
}

/* A new empty seat at the end, or NULL. */
static struct seat *plan_add(struct plan *plan)
{
	struct seat *seat;

	if (GROW(plan->seats, plan->n, plan->room) < 0)
		return NULL;
	seat = calloc(1, sizeof(*seat));
	if (seat)
		plan->seats[plan->n++] = seat;
	return seat;
}

/* The farm as it is. */
static int plan_read(struct score *s, const struct farm *farm, struct plan *plan)
{
	for (uint32_t position = 0; position < farm->n_nodes; position++) {
		struct seat *seat = plan_add(plan);
		struct index_entry *entry;
		struct node_record *record;
		int r;

		if (!seat)
			return -ENOMEM;
		r = index_get(s->store, farm, position, &entry);
		if (r == 0) {
			seat->entry = *entry;
			r = node_get(s->store, entry->id, &record);
		}
		if (r < 0)
			return r;
		seat->record = *record;
		r = store_flush(s->store);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- merging ---- */

static int compare_seats(const void *a, const void *b)
{
	const struct seat *const *x = a, *const *y = b;

	return strcmp((*x)->record.config.name, (*y)->record.config.name);
}

static int compare_name(const void *key, const void *item)
{
	const struct seat *const *seat = item;

	return strcmp(key, (*seat)->record.config.name);
}

/*
 * Takes in a line of the list for a node that the farm has. The node's health
 * stays. A hold in the list counts only when it was changed there, so that
 * loading the same list again does not undo what an administrator did since.
 */
static bool seat_update(struct seat *seat, const struct node_config *config)
{
	uint32_t switched = (seat->record.config.flags ^ config->flags) & BN_HOLD;
	bool changed = !node_config_equal(&seat->record.config, config) || seat->record.draining;

	if (switched) {
		seat->record.flags = (seat->record.flags & ~BN_HOLD) | (config->flags & BN_HOLD);
		seat->record.since_usec = now_realtime();
	}
	if (seat->record.draining)
		seat->record.since_usec = now_realtime();
	seat->record.draining = 0;
	/* Only an agent undoes its words, and it may be asked no more. Nor is the compiler known to be the same. */
	if (strcmp(seat->record.config.check, config->check) != 0) {
		seat->record.agent = (struct agent){ 0 };
		(void)memset(seat->record.fingerprint, 0, sizeof(seat->record.fingerprint));
	}
	seat->record.config = *config;
	return changed;
}

static int seat_add(struct plan *plan, struct farm *farm, const struct node_config *config,
		    const struct resolve_request *resolved)
{
	struct seat *seat = plan_add(plan);

	if (!seat)
		return -ENOMEM;
	seat->is_new = seat->is_listed = true;
	node_init(&seat->record, config, now_realtime());
	(void)node_set_addresses(&seat->record, resolved->addresses, resolved->n_addresses);
	seat->entry.id = farm->next_id++;
	seat->entry.free_slot = NONE;
	seat->entry.key.retry_usec = UINT64_MAX;
	if (resolved->n_addresses == 0) {
		seat->record.flags |= BN_DOWN;
		seat->record.reason = REASON_UNRESOLVED;
	} else if (seat->record.flags & BN_DOWN) {
		seat->entry.key.retry_usec = now_boottime() + seat->record.pause_usec;
	}
	return 0;
}

/* Turns old, the farm as it is, into plan, the farm as the list has it. only_missing: what is there stays as it is. */
static int plan_merge(struct farm *farm, struct plan *old, const struct nodelist *list, bool only_missing,
		      const struct resolve_request *resolved, struct plan *plan, struct score_load_result *result)
{
	struct seat **by_name;
	int r = 0;

	by_name = reallocarray(NULL, old->n + 1u, sizeof(struct seat *));
	if (!by_name)
		return -ENOMEM;
	if (old->n > 0) {
		(void)memcpy(by_name, old->seats, old->n * sizeof(struct seat *));
		qsort(by_name, old->n, sizeof(struct seat *), compare_seats);
	}

	for (size_t i = 0; r == 0 && i < list->n_nodes; i++) {
		const struct node_config *config = &list->nodes[i];
		struct seat **found = old->n == 0 ? NULL :
			bsearch(config->name, by_name, old->n, sizeof(struct seat *), compare_name);

		if (found) {
			struct seat *seat = plan_add(plan);

			if (!seat) {
				r = -ENOMEM;
				break;
			}
			*seat = **found;
			(*found)->is_listed = true;
			if (!only_missing && seat_update(seat, config))
				result->changed++;
			else
				result->kept++;
			/* The node had no address and has some now: nothing else would ever try it. */
			if (resolved[i].n_addresses > 0 && seat->record.flags & BN_DOWN &&
			    seat->record.n_addresses == 0)
				seat->entry.key.retry_usec = now_boottime();
			if (resolved[i].n_addresses > 0)
				(void)node_set_addresses(&seat->record, resolved[i].addresses, resolved[i].n_addresses);
		} else {
			r = seat_add(plan, farm, config, &resolved[i]);
			result->added++;
		}
	}
	/* Nodes that are not listed come behind the others. */
	for (uint32_t i = 0; r == 0 && i < old->n; i++) {
		struct seat *seat;

		if (old->seats[i]->is_listed)
			continue;
		seat = plan_add(plan);
		if (!seat) {
			r = -ENOMEM;
			break;
		}
		*seat = *old->seats[i];
		if (only_missing)
			continue;
		if (!seat->record.draining)
			seat->record.since_usec = now_realtime();
		seat->record.draining = 1;
	}
	free(by_name);
	return r;
}

/* ---- writing ---- */

/* Takes the seats of drained nodes out of plan and store. */
static int remove_drained(struct score *s, struct plan *plan, struct score_load_result *result)
{
	uint32_t kept = 0;
	int r = 0;

	for (uint32_t i = 0; i < plan->n; i++) {
		struct seat *seat = plan->seats[i];

		if (r < 0 || !seat->record.draining || seat->entry.busy > 0) {
			result->draining += seat->record.draining;
			plan->seats[kept++] = seat;
			continue;
		}
		result->removed++;
		r = slot_delete(s->store, seat->entry.id, seat->record.slot_pages);
		if (r == 0)
			r = store_delete(s->store, STORE_NODE, seat->entry.id, 0);
		free(seat);
	}
	plan->n = kept;
	return r;
}

/* Makes all slots of a new seat lost ones: the node may be one that could not be read, and its connections go on. See
 * lost.h. */
static int lose_all(struct store *store, struct seat *seat)
{
	int r = 0;

	for (uint32_t number = 0; r == 0 && number < seat->record.config.cores; number++) {
		struct slot *slot;

		r = slot_get(store, seat->entry.id, number, &slot);
		if (r < 0)
			break;
		slot_lose(slot);
		store_touch(store, slot, sizeof(*slot));
		if (number % SLOTS_PER_PAGE == SLOTS_PER_PAGE - 1)
			r = store_flush(store);
	}
	seat->entry.busy = seat->record.config.cores;
	seat->entry.free_slot = NONE;
	return r;
}

static int write_seat(struct score *s, const struct farm *farm, struct seat *seat, uint32_t position)
{
	struct node_record *record = &seat->record;
	int r;

	if (seat->is_new || seat->entry.cores != record->config.cores) {
		r = slot_resize(s->store, seat->entry.id, record->slot_pages, record->config.cores,
				&seat->entry.free_slot, &record->slot_pages);
		if (r == 0 && seat->is_new && farm->lost > 0)
			r = lose_all(s->store, seat);
		if (r < 0)
			return r;
	}
	record->position = position;
	node_enter(record, &seat->entry);
	return store_put(s->store, STORE_NODE, seat->entry.id, 0, record, sizeof(*record));
}

static int plan_write(struct score *s, struct farm *farm, struct plan *plan)
{
	struct index_entry *entries;
	int r = 0;

	entries = reallocarray(NULL, plan->n + 1u, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < plan->n; i++) {
		r = write_seat(s, farm, plan->seats[i], i);
		entries[i] = plan->seats[i]->entry;
	}
	if (r == 0)
		r = index_build(s->store, farm, entries, plan->n);
	if (r == 0)
		r = ring_build(s->store, farm);
	if (r == 0)
		r = store_put(s->store, STORE_FARM, 0, 0, farm, sizeof(*farm));
	free(entries);
	return r;
}

/* ---- what a rebuild is for ---- */

/* A whole list, or a change of a single node, or (both NULL) only the removal of drained nodes. */
struct change {
	const struct nodelist *list;
	bool only_missing;                        /* of the list */
	const struct resolve_request *resolved;   /* for each of the list's nodes, or for the node of edit */
	const struct score_edit *edit;
	struct score_edited *edited;              /* what the edit met and made */
};

/* The farm's own list as it is, with the edit made. The caller frees ret->nodes. */
static int edited_list(struct plan *old, const struct score_edit *edit, struct nodelist *ret, struct score_edited *edited)
{
	bool found = false;

	*ret = (struct nodelist){ .nodes = calloc(old->n + 1u, sizeof(*ret->nodes)) };
	if (!ret->nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < old->n; i++) {
		struct node_record *record = &old->seats[i]->record;
		struct node_config *config;

		if (record->draining)
			continue;
		config = &ret->nodes[ret->n_nodes++];
		*config = record->config;
		if (strcmp(config->name, edit->config.name) != 0)
			continue;
		found = true;
		edited->before = edited->after = record->config;
		edited->before.flags = record->flags;
		edited->busy = old->seats[i]->entry.busy;
		if (edit->what == EDIT_REMOVE) {
			ret->n_nodes--;
			continue;
		}
		fields_copy(config, &edit->config, edit->fields);
		edited->after = *config;
		/* As if the list had said what is now: so the edit's hold counts, whatever was done since. */
		if (edit->fields & field_bit(field_find("flags", strlen("flags"))))
			record->config.flags = (record->config.flags & ~BN_HOLD) | (record->flags & BN_HOLD);
	}
	if (edit->what == EDIT_ADD) {
		if (found)
			return -EEXIST;
		ret->nodes[ret->n_nodes++] = edited->after = edit->config;
	} else if (!found) {
		return -ENOENT;
	}
	return 0;
}

/* Merges the farm's own list with the edit made. Only an added node has addresses to give. */
static int plan_edit(struct farm *farm, struct plan *old, const struct change *change, struct plan *plan,
		     struct score_load_result *result)
{
	struct resolve_request *resolved = NULL;
	struct nodelist list;
	int r;

	r = edited_list(old, change->edit, &list, change->edited);
	if (r == 0) {
		resolved = calloc(list.n_nodes + 1, sizeof(*resolved));
		r = resolved ? 0 : -ENOMEM;
	}
	if (r == 0 && change->edit->what == EDIT_ADD)
		resolved[list.n_nodes - 1] = *change->resolved;
	if (r == 0)
		r = plan_merge(farm, old, &list, false, resolved, plan, result);
	free(resolved);
	free(list.nodes);
	return r;
}

static int rebuild(struct score *s, const struct change *change, struct score_load_result *result)
{
	struct plan old = { 0 }, plan = { 0 };
	struct farm farm;
	int r;

	r = store_begin(s->store);
	if (r < 0)
		return r;
	r = store_read(s->store, STORE_FARM, 0, 0, &farm, sizeof(farm));
	if (r == -ENOENT)
		r = -EUCLEAN;
	if (r == 0)
		r = farm_check(&farm);
	if (r == 0)
		r = plan_read(s, &farm, change->list || change->edit ? &old : &plan);
	if (r == 0 && change->list)
		r = plan_merge(&farm, &old, change->list, change->only_missing, change->resolved, &plan, result);
	else if (r == 0 && change->edit)
		r = plan_edit(&farm, &old, change, &plan, result);
	if (change->list)
		farm.incomplete = 0;
	if (r == 0)
		r = remove_drained(s, &plan, result);
	if (r == 0)
		r = plan_write(s, &farm, &plan);
	plan_clear(&old);
	plan_clear(&plan);
	if (r < 0) {
		store_cancel(s->store);
		return r;
	}
	return store_end(s->store);
}

/* Gives waiters the slots that have appeared. */
static int dispatch(struct score *s)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = claim_dispatch(s, farm);
	farm_leave(s);
	return r;
}

int score_collect(struct score *s)
{
	struct score_load_result result = { 0 };

	return rebuild(s, &(struct change){ 0 }, &result);
}

static int load(struct score *s, const struct nodelist *list, bool only_missing, struct score_load_result *ret)
{
	struct score_load_result result = { 0 };
	struct resolve_request *requests;
	int r;

	/* Names are resolved first: that takes its time, and no process may wait for the lock meanwhile. */
	requests = calloc(list->n_nodes + 1, sizeof(*requests));
	if (!requests)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_nodes; i++) {
		requests[i].host = list->nodes[i].host;
		requests[i].port = list->nodes[i].port;
	}
	r = resolve_all(requests, list->n_nodes, RESOLVE_USEC);
	if (r >= 0)
		r = rebuild(s, &(struct change){ .list = list, .only_missing = only_missing,
						  .resolved = requests }, &result);
	free(requests);
	if (r == 0)
		r = dispatch(s);
	if (r == 0 && ret)
		*ret = result;
	return r;
}

int load_list(struct score *s, char ret[static ORIGIN_LIST_MAX + 1])
{
	struct origin origin;
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = store_read(s->store, STORE_ORIGIN, 0, 0, &origin, sizeof(origin));
	farm_leave(s);
	if (r == 0)
		r = origin_check(&origin);
	if (r == 0)
		(void)memcpy(ret, origin.list, sizeof(origin.list));
	return r == -ENOENT ? -EUCLEAN : r;
}

static int set_list(struct score *s, const char *path)
{
	struct origin *origin;
	struct farm *farm;
	void *data;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = store_get(s->store, STORE_ORIGIN, 0, 0, sizeof(*origin), &data, NULL);
	if (r == 0) {
		origin = data;
		store_touch(s->store, origin->list, sizeof(origin->list));
		(void)memset(origin->list, 0, sizeof(origin->list));
		(void)memcpy(origin->list, path, strlen(path));
		r = store_commit(s->store);
	}
	farm_leave(s);
	return r;
}

/* A farm stays with its list, unless the given list is to be adopted. */
int attempt_load(struct score *s, const struct nodelist *list, struct score_load_result *ret)
{
	const char *path = list->path && strlen(list->path) <= ORIGIN_LIST_MAX ? list->path : NULL;
	char known[ORIGIN_LIST_MAX + 1];
	int r = load_list(s, known);

	if (r == 0 && path && *known && !list->adopt && strcmp(path, known) != 0)
		return -EMEDIUMTYPE;
	if (r == 0)
		r = load(s, list, false, ret);
	if (r == 0 && path && strcmp(path, known) != 0)
		r = set_list(s, path);
	return r;
}

int load_missing(struct score *s, const struct nodelist *list)
{
	char known[ORIGIN_LIST_MAX + 1];
	int r = load_list(s, known);

	/* Not from a list of another farm: then the nodes stay missing until this farm's list is loaded. */
	if (r < 0 || (*known && list->path && strcmp(list->path, known) != 0))
		return r;
	return load(s, list, true, NULL);
}

int attempt_edit(struct score *s, const struct score_edit *edit, struct score_edited *ret)
{
	struct resolve_request request = { .host = edit->config.host, .port = edit->config.port };
	struct score_load_result result = { 0 };
	struct score_edited edited = { 0 };
	int r = 0;

	if (edit->what == EDIT_ADD)
		r = resolve_all(&request, 1, RESOLVE_USEC);
	if (r >= 0)
		r = rebuild(s, &(struct change){ .edit = edit, .resolved = &request, .edited = &edited }, &result);
	if (r >= 0 && ret)
		*ret = edited;
	return r < 0 ? r : dispatch(s);
}

int load_format(struct store *store)
{
	struct version version = version_current();
	struct origin origin = { 0 };
	struct farm farm = {
		.next_ticket = 1, .next_id = 1,
		.queue_head = NONE, .queue_tail = NONE, .free_cell = NONE,
		.granted_head = NONE, .granted_tail = NONE,
		.root = { .retry_usec = UINT64_MAX },
	};
	int r;

	surroundings_self(&origin.surroundings);
	r = store_begin(store);
	if (r < 0)
		return r;
	r = queue_grow(store, &farm);
	if (r == 0)
		r = store_put(store, STORE_FARM, 0, 0, &farm, sizeof(farm));
	if (r == 0)
		r = learn_format(store);
	if (r == 0)
		r = history_format(store);
	if (r == 0)
		r = store_put(store, STORE_ORIGIN, 0, 0, &origin, sizeof(origin));
	if (r == 0)
		r = store_put(store, STORE_VERSION, 0, 0, &version, sizeof(version));
	if (r < 0) {
		store_cancel(store);
		return r;
	}
	return store_end(store);
}
