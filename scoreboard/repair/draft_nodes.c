/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * draft_nodes.c: the nodes, with their slots and index entries, as they must be.
 * What a node's record and its slots say is the truth, unless it cannot be true.
 */

#include "drawing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "records/node.h"
#include "records/queue.h"
#include "system/grow.h"

/* ---- which nodes there are ---- */

static int note_node(uint32_t id, uint32_t b, void *arg)
{
	struct drawing *d = arg;

	(void)b;
	if (d->n == NODES_MAX)
		return -EUCLEAN;
	if (GROW(d->entries, d->n, d->room) < 0)
		return -ENOMEM;
	d->entries[d->n++] = (struct index_entry){ .id = id };
	if (id > d->last_id)
		d->last_id = id;
	return 0;
}

static int read_node(struct drawing *d, uint32_t id, struct node_record *ret)
{
	char name[NODE_NAME_MAX + 1];
	int r = store_read(d->from, STORE_NODE, id, 0, ret, sizeof(*ret)) ?: node_check(ret);

	if (r < 0)
		return r;
	node_name(ret->config.host, ret->config.port, name);
	return id != 0 && *ret->config.host && ret->config.port != 0 && strcmp(name, ret->config.name) == 0 ? 0 : -EUCLEAN;
}

static int compare_ids(const void *a, const void *b)
{
	const struct index_entry *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Compares nodes by position. While the nodes are put in order, a node's position stands where its key will stand. */
static int compare_positions(const void *a, const void *b)
{
	const struct index_entry *x = a, *y = b;

	if (x->key.share != y->key.share)
		return x->key.share < y->key.share ? -1 : 1;
	return compare_ids(a, b);
}

/* Takes in a page of slots: its node may be missing. */
static int note_slots(uint32_t id, uint32_t page, void *arg)
{
	struct drawing *d = arg;
	struct index_entry key = { .id = id };

	(void)page;
	if (d->n == 0 || !bsearch(&key, d->entries, d->n, sizeof(key), compare_ids)) {
		d->lossy = true;
		if (id > d->last_id)
			d->last_id = id;
	}
	return 0;
}

int drawing_find_nodes(struct drawing *d)
{
	uint32_t kept = 0;
	int r = store_each(d->from, STORE_NODE, note_node, d);

	for (uint32_t i = 0; r == 0 && i < d->n; i++) {
		struct index_entry *entry = &d->entries[i];
		struct node_record record;

		r = read_node(d, entry->id, &record);
		if (r == 0) {
			entry->key.share = record.position;
			d->entries[kept++] = *entry;
		} else if (d->draft->rebuild && r == -EUCLEAN) {
			d->lossy = true;
			r = 0;
		}
	}
	d->n = kept;
	if (r == 0 && !d->draft->rebuild && d->n != d->old.n_nodes)
		r = -EUCLEAN;
	if (r == 0 && d->n > 0)
		qsort(d->entries, d->n, sizeof(*d->entries), compare_ids);
	if (r == 0 && d->draft->rebuild)
		r = store_each(d->from, STORE_SLOTS, note_slots, d);
	if (r == 0 && d->n > 0)
		qsort(d->entries, d->n, sizeof(*d->entries), compare_positions);
	return r;
}

/* ---- a node and its slots ---- */

/* Reads the node's pages of slots, also pages of cores that the node had once: the pages that its record says, and in a
 * rebuild the pages that can be found, too. */
static int read_pages(struct drawing *d, uint32_t id, struct node_record *record)
{
	uint32_t need = slot_pages(record->config.cores), n;

	if (record->slot_pages < need && !d->draft->rebuild)
		return -EUCLEAN;
	for (n = 0; n < slot_pages(NODE_CORES_MAX); n++) {
		int r;

		if (GROW(d->pages, n, d->page_room) < 0)
			return -ENOMEM;
		if (n >= need && n >= record->slot_pages && !d->draft->rebuild)
			break;
		r = store_read(d->from, STORE_SLOTS, id, n, &d->pages[n], sizeof(d->pages[n]));
		if (r == 0)
			continue;
		if (r != -EUCLEAN || !d->draft->rebuild)
			return r;
		if (n >= need && n >= record->slot_pages)
			break;
		for (unsigned i = 0; i < SLOTS_PER_PAGE; i++)
			d->pages[n].slots[i].state = UINT32_MAX;
	}
	record->slot_pages = n;
	return 0;
}

static struct slot *slot_at(struct drawing *d, uint32_t number)
{
	return &d->pages[number / SLOTS_PER_PAGE].slots[number % SLOTS_PER_PAGE];
}

enum judgement { IS_FREE, IS_TAKEN, IS_INSANE, IS_NO_LONGER_LOST };

/* What a slot is (enum judgement), or -errno. A granted slot and its waiter's cell must name each other. */
static int judge_slot(struct drawing *d, uint32_t node, uint32_t number, const struct slot *slot)
{
	struct cell cell;
	int r;

	if (!slot_is_sane(slot))
		return IS_INSANE;
	if (slot->ticket > d->last_ticket)
		d->last_ticket = slot->ticket;
	if (slot->state == SLOT_LOST)
		return d->draft->farm.lost > 0 || d->unknown ? IS_TAKEN : IS_NO_LONGER_LOST;
	if (slot->state != SLOT_GRANTED)
		return slot->state == SLOT_BUSY ? IS_TAKEN : IS_FREE;
	if (slot->cell >= d->draft->farm.cells)
		return IS_INSANE;
	r = queue_read(d->from, &d->draft->farm, slot->cell, &cell);
	if (r < 0)
		return r == -EUCLEAN && d->draft->rebuild ? IS_INSANE : r;
	if (!cell_is_sane(&cell) || cell.state != CELL_GRANTED || cell.number != slot->ticket || cell.node != node ||
	    cell.slot != number)
		return IS_INSANE;
	d->cells[slot->cell].named = true;
	return IS_TAKEN;
}

/* Whether the list of free slots that begins with first has each free slot, and no other. */
static bool free_list_is_right(struct drawing *d, uint32_t first, uint32_t cores, uint32_t n_free)
{
	uint32_t n = 0;

	for (uint32_t number = first; number != NONE; number = slot_at(d, number)->next_free)
		if (number >= cores || n++ == n_free || slot_at(d, number)->state != SLOT_FREE)
			return false;
	return n == n_free;
}

static int draw_slots(struct drawing *d, const struct node_record *record, struct index_entry *entry, bool *ret_trial)
{
	uint32_t n = record->slot_pages * SLOTS_PER_PAGE, cores = record->config.cores, n_free = 0;
	const char *name = record->config.name;
	int r = 0;

	entry->busy = 0;
	*ret_trial = false;
	for (uint32_t number = 0; number < n; number++) {
		struct slot *slot = slot_at(d, number);

		r = judge_slot(d, entry->id, number, slot);
		if (r < 0)
			return r;
		if (r == IS_INSANE) {
			draft_found(d->draft, "%s: slot %u has the state %u and ticket %llu, which cannot be", name,
				    number, slot->state, (unsigned long long)slot->ticket);
			slot_lose(slot);
		} else if (r == IS_NO_LONGER_LOST) {
			draft_found(d->draft, "%s: slot %u is lost, and no process is left that may hold it", name, number);
			slot_clear(slot);
		}
		if (d->draft->lose_all && slot->state != SLOT_LOST) {
			if (slot->state == SLOT_GRANTED)
				d->cells[slot->cell].named = false;
			slot_lose(slot);
		}
		d->lossy |= r == IS_INSANE || (d->draft->rebuild && slot->state == SLOT_LOST);
		entry->busy += slot->state != SLOT_FREE;
		*ret_trial |= slot->trial;
		n_free += slot->state == SLOT_FREE && number < cores;
	}
	if (!free_list_is_right(d, entry->free_slot, cores, n_free)) {
		entry->free_slot = NONE;
		/* From the last slot to the first, so that the list begins with the lowest. */
		for (uint32_t number = cores; number-- > 0;)
			if (slot_at(d, number)->state == SLOT_FREE) {
				slot_at(d, number)->next_free = entry->free_slot;
				entry->free_slot = number;
			}
	}
	r = 0;
	for (uint32_t page = 0; r == 0 && page < record->slot_pages; page++)
		r = store_put(d->to, STORE_SLOTS, entry->id, page, &d->pages[page], sizeof(d->pages[page]));
	return r;
}

/* The entry at a position, if it is that node's; else an entry that only the node's record decides. */
static int read_entry(struct drawing *d, uint32_t position, uint32_t id, const struct node_record *record,
		      struct index_entry *ret)
{
	struct index_entry *entry;
	int r = index_get(d->from, &d->old, position, &entry);

	if (r == 0 && entry->id == id) {
		*ret = *entry;
		return store_flush(d->from);
	}
	d->moved = true;
	*ret = (struct index_entry){
		.id = id, .free_slot = NONE, .key.retry_usec = UINT64_MAX,
		.flags = record->flags & BN_DOWN ? ENTRY_TRIAL_OPEN : ENTRY_TRIAL_RUNS,
	};
	return r == -EUCLEAN || r == 0 ? store_flush(d->from) : r;
}

int drawing_node(struct drawing *d, uint32_t position)
{
	struct index_entry *entry = &d->entries[position], old;
	struct node_record record;
	const char *name;
	bool trial;
	int r = read_node(d, entry->id, &record) ?:
		read_pages(d, entry->id, &record) ?:
		read_entry(d, position, entry->id, &record, &old);

	if (r < 0)
		return r;
	*entry = old;
	r = draw_slots(d, &record, entry, &trial);
	if (r < 0)
		return r;
	record.position = position;
	d->shared |= record.share != SHARE_NONE;
	if (record.flags & BN_DOWN && entry->flags & ENTRY_TRIAL_RUNS && !trial)
		entry->flags = ENTRY_TRIAL_OPEN;
	else if (record.flags & BN_DOWN && trial && d->draft->rebuild)
		entry->flags = ENTRY_TRIAL_RUNS;
	else if (!(record.flags & BN_DOWN) && !trial)
		entry->flags = 0;
	node_enter(&record, entry);
	name = record.config.name;
	drawing_expect(d, name, "cores", old.cores, entry->cores);
	drawing_expect(d, name, "connections at once", old.limit, entry->limit);
	drawing_expect(d, name, "slots taken", old.busy, entry->busy);
	drawing_expect(d, name, "speed in thousandths", old.speed, entry->speed);
	drawing_expect(d, name, "worth", old.worth, entry->worth);
	drawing_expect(d, name, "worth when half busy", old.worth_late, entry->worth_late);
	drawing_expect(d, name, "flags", old.flags, entry->flags);
	return store_put(d->to, STORE_NODE, entry->id, 0, &record, sizeof(record));
}
