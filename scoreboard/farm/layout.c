/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "layout.h"

#include <errno.h>
#include <string.h>

#include "claim.h"
#include "records/patience.h"
#include "records/ring.h"
#include "records/slot.h"
#include "store/store.h"
#include "system/timespan.h"

#define PAGES_AT_ONCE 16u  /* of slots that one transaction makes, or a node more */
#define MOVES_AT_ONCE 8u   /* in one section */
#define LOOKS_AT_ONCE 256u /* at entries that stand right already, in one section */

/* Gives waiters the slots that have appeared. */
static int dispatch(struct score *s)
{
	struct farm *farm;

	return IN_SECTION(s, farm, claim_dispatch(s, farm));
}

/* Nodes come, go, change their cores or their positions: the ring of the policy hash is not true any more, until
 * layout_end() makes another. The farm's record is the caller's to write. */
static void drop_ring(struct score *s, struct farm *farm)
{
	s->ring_dropped |= ring_drop(farm);
}

int layout_end(struct score *s)
{
	struct farm farm;
	int r;

	if (!s->ring_dropped)
		return 0;
	r = farm_begin(s, &farm);
	if (r < 0)
		return r;
	farm.ring = RING_THERE;
	r = farm_end(s, &farm, ring_build(s->store, &farm));
	if (r == 0)
		s->ring_dropped = false;
	return r;
}

/* ---- nodes that come ---- */

/* Makes new slots of a node lost slots, from a page's first slot on: the node may have had them before it could not be
 * read, with connections that go on. See lost.h. */
static int lose(struct store *store, uint32_t node, uint32_t from, uint32_t cores)
{
	int r = 0;

	for (uint32_t number = from; r == 0 && number < cores; number++) {
		struct slot *slot;

		r = slot_get(store, node, number, &slot);
		if (r < 0)
			break;
		slot_lose(slot);
		store_touch(store, slot, sizeof(*slot));
		if (number % SLOTS_PER_PAGE == SLOTS_PER_PAGE - 1)
			r = store_flush(store);
	}
	return r;
}

/* Makes the records of slots that the node's number of cores asks for. New slots are lost while slots are lost. *ret_first:
 * the first free slot; *ret_lost: how many were made lost. As slot_resize(). */
static int make_slots(struct store *store, const struct farm *farm, uint32_t node, uint32_t had, uint32_t cores,
		      uint32_t *ret_first, uint32_t *ret_pages, uint32_t *ret_lost)
{
	uint32_t from = had * SLOTS_PER_PAGE;
	int r = slot_resize(store, node, had, cores, ret_first, ret_pages);

	*ret_lost = farm->lost > 0 && from < cores ? cores - from : 0;
	if (r < 0 || *ret_lost == 0)
		return r;
	return lose(store, node, from, cores) ?: slot_resize(store, node, *ret_pages, cores, ret_first, ret_pages);
}

/* In a transaction: makes the records of a node, and its place behind all others. */
static int append(struct score *s, struct farm *farm, struct layout_new *node)
{
	struct index_entry entry = { .id = farm->next_id++, .free_slot = NONE, .key.retry_usec = UINT64_MAX };
	struct node_record record;
	int r;

	node_init(&record, node->config, now_realtime());
	(void)node_set_addresses(&record, node->resolved->addresses, node->resolved->n_addresses);
	if (node->resolved->n_addresses == 0) {
		record.flags |= BN_DOWN;
		record.reason = REASON_UNRESOLVED;
	} else if (record.flags & BN_DOWN) {
		entry.key.retry_usec = now_boottime() + record.pause_usec;
	}
	record.share = farm_share(farm, record.config.name, record.config.cores);
	r = make_slots(s->store, farm, entry.id, 0, record.config.cores, &entry.free_slot, &record.slot_pages, &entry.busy);
	record.position = farm->n_nodes;
	node_enter(&record, &entry);
	if (r == 0)
		r = store_put(s->store, STORE_NODE, entry.id, 0, &record, sizeof(record)) ?:
		    index_append(s->store, farm, &entry);
	node->id = entry.id;
	return r;
}

/* As many as fit into one transaction, from *done on. A scoreboard that no other process sees is filled at once. */
static int append_some(struct score *s, struct layout_new *nodes, size_t n, uint32_t *next_id, size_t *done)
{
	uint32_t pages = 0;
	size_t at = *done;
	struct farm farm;
	int r = farm_begin(s, &farm);

	if (r < 0)
		return r;
	if (*next_id ? farm.next_id != *next_id : farm.n_nodes > 0)
		r = -ESTALE;
	if (n > NODES_MAX - farm.n_nodes)
		r = -EUSERS;
	for (; r == 0 && at < n && (s->is_draft || pages < PAGES_AT_ONCE); at++) {
		r = append(s, &farm, &nodes[at]);
		pages += slot_pages(nodes[at].config->cores);
	}
	drop_ring(s, &farm);
	r = farm_end(s, &farm, r);
	if (r < 0)
		return r;
	*next_id = farm.next_id;
	*done = at;
	return 0;
}

int layout_append(struct score *s, struct layout_new *nodes, size_t n, uint32_t *next_id, size_t *done)
{
	int r = 0;

	*done = 0;
	while (r == 0 && *done < n)
		r = append_some(s, nodes, n, next_id, done);
	return *done > 0 ? dispatch(s) ?: r : r;
}

/* ---- a node that changes ---- */

/* Makes the entry and the farm's counts what the record says now. Staged only. */
static int enter(struct score *s, struct farm *farm, struct node_record *record, struct index_entry *entry)
{
	uint32_t was_draining = entry->flags & ENTRY_DRAINING, cores = entry->cores;
	struct index_entry before = *entry;
	struct store *store = s->store;

	if (farm->split.parts > 0) /* else the share, if any, is not a function of the cores */
		record->share = split_share(&farm->split, record->config.name, record->config.cores);
	farm->primaries_up -= index_is_primary_up(entry->flags);
	farm->nodes_up -= index_is_up(entry->flags);
	node_enter(record, entry);
	patience_changed(store, &before, entry);
	farm->primaries_up += index_is_primary_up(entry->flags);
	farm->nodes_up += index_is_up(entry->flags);
	if ((entry->flags & ENTRY_DRAINING) != was_draining || entry->cores != cores)
		drop_ring(s, farm);
	store_touch(store, farm, sizeof(*farm));
	store_touch(store, record, sizeof(*record));
	return index_update(store, farm, record->position);
}

/* A node with another number of cores has other records of slots: a transaction. */
static int resize(struct score *s, uint32_t id,
		  int (*fn)(struct node_record *record, struct index_entry *entry, void *arg), void *arg)
{
	uint32_t first = NONE, pages = 0, lost = 0;
	struct node_record *record;
	struct index_entry *entry;
	struct farm *farm = NULL, read;
	int r = farm_begin(s, &read), changed = 0;

	if (r < 0)
		return r;
	/* What fn changes here is not kept: it says how many cores there will be. */
	r = node_find_entry(s->store, &read, id, &record, &entry) ?: fn(record, entry, arg);
	if (r > 0)
		r = make_slots(s->store, &read, id, record->slot_pages, record->config.cores, &first, &pages, &lost);
	if (r == 0)
		r = STORE_GET(s->store, STORE_FARM, 0, 0, &farm) ?:
		    node_get_entry(s->store, farm, id, &record, &entry);
	if (r == 0)
		r = changed = fn(record, entry, arg);
	if (r > 0) {
		record->slot_pages = pages;
		entry->free_slot = first;
		entry->busy += lost;
		farm->busy += lost;
		r = enter(s, farm, record, entry);
	}
	r = farm_end(s, NULL, r < 0 ? r : 0);
	return r < 0 ? r : changed;
}

int layout_revise(struct score *s, uint32_t id,
		  int (*fn)(struct node_record *record, struct index_entry *entry, void *arg), void *arg)
{
	struct section at;
	bool other_size;
	int r = section_enter(s, id, &at), changed;

	if (r < 0)
		return r;
	changed = fn(at.record, at.entry, arg);
	other_size = changed > 0 && at.record->config.cores != at.entry->cores;
	r = changed < 0 ? changed : 0;
	if (changed > 0 && !other_size)
		r = enter(s, at.farm, at.record, at.entry) ?: claim_dispatch(s, at.farm);
	farm_leave(s);
	if (other_size) {
		r = changed = resize(s, id, fn, arg);
		if (r > 0)
			r = dispatch(s);
	}
	return r < 0 ? r : changed;
}

/* ---- order ---- */

/* The nodes at two positions change places. Commits. */
static int swap(struct score *s, struct farm *farm, struct node_record *record, struct node_record *other)
{
	uint32_t p = record->position, q = other->position;
	int r = index_swap(s->store, farm, p, q);

	if (r < 0)
		return r;
	record->position = q;
	other->position = p;
	drop_ring(s, farm);
	store_touch(s->store, &farm->ring, sizeof(farm->ring));
	store_touch(s->store, &record->position, sizeof(record->position));
	store_touch(s->store, &other->position, sizeof(other->position));
	return store_commit(s->store);
}

/* The order changes in a way that a walk cannot see at its position (walk.h). The next commit tells it. */
static void note_change(struct score *s, struct farm *farm)
{
	farm->layout++;
	store_touch(s->store, &farm->layout, sizeof(farm->layout));
}

/* Puts the node of ids[position] to that position. 1: it was there; 0; or -errno. */
static int place(struct score *s, struct farm *farm, const uint32_t *ids, uint32_t position)
{
	struct node_record *record, *other;
	struct index_entry *entry;
	int r = index_get(s->store, farm, position, &entry);

	if (r < 0)
		return r;
	if (entry->id == ids[position])
		return 1;
	r = node_find(s->store, ids[position], &record) ?: node_get(s->store, entry->id, &other);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	note_change(s, farm);
	return swap(s, farm, record, other);
}

int layout_arrange(struct score *s, const uint32_t *ids, uint32_t n)
{
	uint32_t position = 0;
	int r = 0;

	while (r >= 0 && position < n) {
		struct farm *farm;

		r = farm_enter(s, &farm);
		if (r < 0)
			return r;
		if (farm->n_nodes < n)
			r = -ESTALE;
		for (uint32_t moves = 0, looks = 0;
		     r >= 0 && position < n && moves < MOVES_AT_ONCE && looks < LOOKS_AT_ONCE; looks++, position++) {
			r = place(s, farm, ids, position);
			moves += r == 0;
			store_trim(s->store);
		}
		farm_leave(s);
	}
	return r < 0 ? r : 0;
}

/* Moves a node some positions on. 1: it is not the last yet; 0: it is, or has gone; or -errno. */
static int move_on(struct score *s, uint32_t id)
{
	struct farm *farm;
	int r = farm_enter(s, &farm), more = 1;

	if (r < 0)
		return r;
	for (uint32_t moves = 0; r == 0 && more && moves < MOVES_AT_ONCE; moves++) {
		struct node_record *record, *behind;
		struct index_entry *entry;

		r = node_find(s->store, id, &record);
		more = r == 0 && record->position + 1 < farm->n_nodes;
		if (!more)
			break;
		r = index_get(s->store, farm, record->position + 1, &entry) ?:
		    node_get(s->store, entry->id, &behind);
		if (r < 0)
			break;
		/* The other node may have moved on, too: after both moves it may be where it was. */
		if (!record->draining || behind->draining)
			note_change(s, farm);
		r = swap(s, farm, record, behind);
		store_trim(s->store);
	}
	farm_leave(s);
	return r == -ENOENT ? 0 : r < 0 ? r : more;
}

int layout_move_last(struct score *s, uint32_t id)
{
	int r;

	do
		r = move_on(s, id);
	while (r == 1);
	return r;
}

/* ---- nodes that go ---- */

static bool is_drained(const struct node_record *record, const struct index_entry *entry)
{
	return record->draining && entry->busy == 0;
}

/* Whether the node can be removed: 1, 0, or -errno. */
static int can_go(struct score *s, uint32_t id)
{
	struct section at;
	int r = section_enter(s, id, &at);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = is_drained(at.record, at.entry);
	farm_leave(s);
	return r;
}

/* Removes the node if it is the last. 1; 0: it is not to go; 2: it is not the last; or -errno. */
static int remove_last(struct score *s, uint32_t id)
{
	struct node_record *record;
	struct index_entry *entry;
	struct farm farm;
	bool goes;
	int r = farm_begin(s, &farm), outcome = 1;

	if (r < 0)
		return r;
	r = node_find_entry(s->store, &farm, id, &record, &entry);
	goes = r == 0 && is_drained(record, entry);
	if (r == -ENOENT || (r == 0 && !goes))
		outcome = 0;
	else if (r == 0 && record->position + 1 != farm.n_nodes)
		outcome = 2;
	if (r < 0 || outcome != 1) {
		store_cancel(s->store);
		return r < 0 && r != -ENOENT ? r : outcome;
	}
	r = slot_delete(s->store, id, record->slot_pages) ?:
	    store_delete(s->store, STORE_NODE, id, 0) ?:
	    index_drop(s->store, &farm);
	r = farm_end(s, &farm, r);
	return r < 0 ? r : outcome;
}

int layout_remove(struct score *s, uint32_t id)
{
	int r;

	do {
		r = can_go(s, id);
		if (r == 1)
			r = layout_move_last(s, id) ?: remove_last(s, id);
	} while (r == 2);
	return r;
}
