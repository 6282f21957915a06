/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * load.c: merges a node list into the scoreboard.
 *
 * The farm is read without holding anything up, and compared with the list in
 * memory. Then what differs is changed, a step at a time (layout.h): new nodes
 * come first, as only they need room, and go again if there is none; then nodes
 * change, or are to go; then all are put into the order of the list. If other
 * nodes have come meanwhile, or nodes have gone, the load begins again, and finds
 * most of its work done.
 */

#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"
#include "layout.h"
#include "learn.h"
#include "listed.h"
#include "records/passed.h"
#include "records/patience.h"
#include "records/history.h"
#include "store/version.h"
#include "system/grow.h"
#include "system/resolve.h"
#include "system/timespan.h"
#include "walk.h"

/* ---- the farm as it is ---- */

/* A node of the farm. */
struct seat {
	struct node_record record;
	uint32_t id;
	bool is_listed;
};

struct roster {
	struct seat **seats;     /* in the farm's order */
	uint32_t n;
	size_t room;
	uint32_t next_id;        /* the farm's, when the reading began; 0: it has no node */
};

static void roster_clear(struct roster *roster)
{
	for (uint32_t i = 0; i < roster->n; i++)
		free(roster->seats[i]);
	free(roster->seats);
	*roster = (struct roster){ 0 };
}

static void roster_restart(void *arg)
{
	roster_clear(arg);
}

static int roster_add(struct score *s, struct farm *farm, struct index_entry *entry, void *arg)
{
	struct roster *roster = arg;
	struct seat *seat;
	int r;

	if (roster->n == 0)
		roster->next_id = farm->next_id;
	if (GROW(roster->seats, roster->n, roster->room) < 0)
		return -ENOMEM;
	seat = calloc(1, sizeof(*seat));
	if (!seat)
		return -ENOMEM;
	roster->seats[roster->n++] = seat;
	seat->id = entry->id;
	r = store_read(s->store, STORE_NODE, entry->id, 0, &seat->record, sizeof(seat->record));
	return r < 0 ? r : node_check(&seat->record);
}

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

/* ---- merging ---- */

struct merge {
	const struct nodelist *list;
	const struct resolve_request *resolved;  /* for each of the list's nodes */
	bool only_missing;                       /* what is there stays as it is */
	struct roster roster;
	struct seat **found;                     /* for each of the list's nodes: its seat, or NULL */
	struct layout_new *added;
	size_t n_added, n_there;
	struct score_load_result result;
};

static void merge_clear(struct merge *merge)
{
	roster_clear(&merge->roster);
	free(merge->found);
	free(merge->added);
	merge->found = NULL;
	merge->added = NULL;
	merge->n_added = merge->n_there = 0;
}

/* Finds the list's nodes in the farm. 0 or -ENOMEM. */
static int match(struct merge *merge)
{
	struct roster *roster = &merge->roster;
	struct seat **by_name = reallocarray(NULL, roster->n + 1u, sizeof(struct seat *));

	merge->found = calloc(merge->list->n_nodes + 1, sizeof(struct seat *));
	merge->added = calloc(merge->list->n_nodes + 1, sizeof(*merge->added));
	if (!by_name || !merge->found || !merge->added) {
		free(by_name);
		return -ENOMEM;
	}
	if (roster->n > 0) {
		(void)memcpy(by_name, roster->seats, roster->n * sizeof(struct seat *));
		qsort(by_name, roster->n, sizeof(struct seat *), compare_seats);
	}
	for (size_t i = 0; i < merge->list->n_nodes; i++) {
		const struct node_config *config = &merge->list->nodes[i];
		struct seat **at = roster->n == 0 ? NULL :
			bsearch(config->name, by_name, roster->n, sizeof(struct seat *), compare_name);

		if (at) {
			merge->found[i] = *at;
			(*at)->is_listed = true;
		} else {
			merge->added[merge->n_added++] =
				(struct layout_new){ .config = config, .resolved = &merge->resolved[i] };
		}
	}
	free(by_name);
	return 0;
}

/* Takes in a line for a node that the farm has. Most lines are as they were: those cost no section. */
static int update(struct score *s, struct merge *merge, size_t i)
{
	struct listed_line line = {
		.config = &merge->list->nodes[i], .resolved = &merge->resolved[i],
		.only_addresses = merge->only_missing,
	};
	struct node_record copy = merge->found[i]->record;
	bool other = !merge->only_missing && listed_take_config(&copy, line.config);
	int r = 0;

	merge->result.changed += other;
	merge->result.kept += !other;
	copy = merge->found[i]->record;
	if (listed_take_line(&copy, NULL, &line))
		r = layout_revise(s, merge->found[i]->id, listed_take_line, &line);
	return r == -ENOENT ? -ESTALE : r < 0 ? r : 0;
}

/* Puts the nodes into the list's order; the others come behind, in the order that they have. */
static int arrange(struct score *s, const struct merge *merge)
{
	uint32_t *ids = reallocarray(NULL, merge->roster.n + merge->n_added + 1u, sizeof(*ids)), n = 0;
	const struct layout_new *added = merge->added;
	bool same = true;
	int r;

	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; i < merge->list->n_nodes; i++)
		ids[n++] = merge->found[i] ? merge->found[i]->id : added++->id;
	for (uint32_t i = 0; i < merge->roster.n; i++)
		if (!merge->roster.seats[i]->is_listed)
			ids[n++] = merge->roster.seats[i]->id;
	for (uint32_t i = 0; i < n && same; i++)
		same = ids[i] == (i < merge->roster.n ? merge->roster.seats[i]->id : merge->added[i - merge->roster.n].id);
	r = same ? 0 : layout_arrange(s, ids, n);
	free(ids);
	return r;
}

/* Notes that all nodes are there which a damaged scoreboard may have lacked. */
static int set_complete(struct score *s)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	if (farm->incomplete) {
		farm->incomplete = 0;
		store_touch(s->store, &farm->incomplete, sizeof(farm->incomplete));
		r = store_commit(s->store);
	}
	farm_leave(s);
	return r;
}

/* There was no room for all new nodes: those that came go again. */
static void take_back(struct score *s, const struct merge *merge)
{
	for (size_t i = merge->n_there; i-- > 0;)
		(void)layout_revise(s, merge->added[i].id, listed_drain, NULL);
	for (size_t i = merge->n_there; i-- > 0;)
		(void)layout_remove(s, merge->added[i].id); /* at worst the next look for the dead does it */
}

/* Everything but the removal of nodes that are to go. 0; -ESTALE: other processes changed the farm; or -errno. */
static int merge_once(struct score *s, struct merge *merge)
{
	int r = walk_nodes(s, roster_add, roster_restart, &merge->roster) ?: match(merge);

	if (r < 0)
		return r;
	r = layout_append(s, merge->added, merge->n_added, &merge->roster.next_id, &merge->n_there);
	merge->result.added += (unsigned)merge->n_there;
	if (r < 0 && r != -ESTALE)
		take_back(s, merge);
	for (size_t i = 0; r == 0 && i < merge->list->n_nodes; i++)
		if (merge->found[i])
			r = update(s, merge, i);
	for (uint32_t i = 0; r == 0 && i < merge->roster.n && !merge->only_missing; i++) {
		const struct seat *seat = merge->roster.seats[i];

		if (!seat->is_listed && !seat->record.draining)
			r = layout_revise(s, seat->id, listed_drain, NULL);
		r = r == -ENOENT ? -ESTALE : r < 0 ? r : 0;
	}
	return r == 0 ? arrange(s, merge) : r;
}

/* ---- nodes that are to go ---- */

struct drained {
	uint32_t *ids;
	size_t n, room;
	unsigned draining;
};

static int note_drained(struct score *s, struct farm *farm, struct index_entry *entry, void *arg)
{
	struct drained *drained = arg;

	(void)s;
	(void)farm;
	if (!(entry->flags & ENTRY_DRAINING))
		return 0;
	drained->draining++;
	if (entry->busy > 0)
		return 0;
	if (GROW(drained->ids, drained->n, drained->room) < 0)
		return -ENOMEM;
	drained->ids[drained->n++] = entry->id;
	return 0;
}

static void forget_drained(void *arg)
{
	struct drained *drained = arg;

	drained->n = drained->draining = 0;
}

/* Removes the nodes that are to go and have no connection. result (may be NULL) gets how many went, and how many are
 * left. */
static int collect(struct score *s, struct score_load_result *result)
{
	struct drained drained = { 0 };
	unsigned removed = 0;
	int r = walk_nodes(s, note_drained, forget_drained, &drained);

	/* The last first, which has the shortest way to the end. */
	for (size_t i = drained.n; r >= 0 && i-- > 0;) {
		r = layout_remove(s, drained.ids[i]);
		removed += r == 1;
	}
	free(drained.ids);
	if (r >= 0)
		r = layout_end(s);
	if (result) {
		result->removed = removed;
		result->draining = drained.draining - removed;
	}
	return r < 0 ? r : 0;
}

int score_collect(struct score *s)
{
	return collect(s, NULL);
}

/* ---- a whole list ---- */

static int load(struct score *s, const struct nodelist *list, bool only_missing, struct score_load_result *ret)
{
	struct merge merge = { .list = list, .only_missing = only_missing };
	struct resolve_request *requests;
	int r;

	/* Names are resolved first: that takes its time. */
	requests = calloc(list->n_nodes + 1, sizeof(*requests));
	if (!requests)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_nodes; i++) {
		requests[i].host = list->nodes[i].host;
		requests[i].port = list->nodes[i].port;
	}
	merge.resolved = requests;
	r = resolve_all(requests, list->n_nodes, LOAD_RESOLVE_USEC);
	for (unsigned i = 0; r >= 0 && i < LOAD_AGAIN_MAX; i++) {
		merge.result.changed = merge.result.kept = 0;
		r = merge_once(s, &merge);
		merge_clear(&merge);
		if (r != -ESTALE)
			break;
		r = i + 1 < LOAD_AGAIN_MAX ? 0 : -EBUSY;
	}
	free(requests);
	if (r == 0)
		r = set_complete(s) ?: collect(s, &merge.result);
	if (r == 0 && ret)
		*ret = merge.result;
	return r;
}

int load_list(struct score *s, char ret[static ORIGIN_LIST_MAX + 1])
{
	struct origin origin;
	struct farm *farm;
	int r = IN_SECTION(s, farm, store_read(s->store, STORE_ORIGIN, 0, 0, &origin, sizeof(origin)) ?: origin_check(&origin));

	if (r == 0)
		(void)memcpy(ret, origin.list, sizeof(origin.list));
	return r;
}

static int set_list(struct score *s, const char *path)
{
	struct origin *origin;
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = STORE_GET(s->store, STORE_ORIGIN, 0, 0, &origin);
	if (r == 0) {
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

/* ---- a new farm ---- */

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
	r = queue_grow(store, &farm) ?:
	    store_put(store, STORE_FARM, 0, 0, &farm, sizeof(farm)) ?:
	    learn_format(store) ?:
	    history_format(store) ?:
	    passed_format(store) ?:
	    patience_format(store) ?:
	    store_put(store, STORE_ORIGIN, 0, 0, &origin, sizeof(origin)) ?:
	    store_put(store, STORE_VERSION, 0, 0, &version, sizeof(version));
	if (r < 0) {
		store_cancel(store);
		return r;
	}
	return store_end(store);
}
