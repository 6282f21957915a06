/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * draft.c: which parts of a scoreboard follow from which others.
 *
 * The truth is: which node records there are, what each says, which process
 * holds each slot, and which cells wait. The rest follows: an index entry from
 * its node's record and slots, the index from its entries, the queue's lists
 * from its cells, the farm's counts from all of them. The order of a list of
 * free slots or cells means nothing: a list that is right stays as it is.
 *
 * A slot that cannot be true becomes a lost slot. A cell that cannot be true is
 * emptied: its waiter puts its ticket back, see lost.h.
 */

#include "draft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lost.h"
#include "records/history.h"
#include "records/index.h"
#include "records/memory.h"
#include "records/node.h"
#include "records/origin.h"
#include "records/party.h"
#include "records/passed.h"
#include "records/queue.h"
#include "records/ring.h"
#include "records/slot.h"
#include "records/speed.h"
#include "system/grow.h"
#include "system/timespan.h"
#include "users.h"

#define ORDER_GAP (UINT64_C(1) << 20) /* so many tickets may have been given out and not been found */

/* Where a cell stands in its list. */
struct place {
	uint32_t next, prev, state;
	bool named;                  /* a granted slot names the cell */
};

struct order {
	uint64_t number;
	uint32_t cell;
};

struct drawing {
	struct draft *draft;
	struct store *from, *to;
	struct farm old;             /* the farm's record as it was read */
	bool known;                  /* the farm's record could be read, and agrees with the rest */
	struct index_entry *entries;
	uint32_t n;                  /* nodes */
	size_t room;
	struct place *cells;
	struct slot_page *pages;     /* of the node that is being drawn */
	size_t page_room;
	uint64_t last_ticket;
	uint32_t last_id;
	bool moved;                  /* a node stands at another position than before */
	bool lossy;                  /* processes may hold slots that are not in what was read */
	bool shared;                 /* a node has a share */
	bool unknown;                /* the record "lost" cannot be read: all processes are asked again */
};

void draft_found(struct draft *draft, const char *format, ...)
{
	char text[512];
	va_list ap;

	draft->findings++;
	if (!draft->tell)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	draft->tell(text, draft->arg);
}

static void expect(struct drawing *d, const char *where, const char *what, uint64_t is, uint64_t should_be)
{
	if (is != should_be)
		draft_found(d->draft, "%s: %s: is %llu, should be %llu", where, what,
			    (unsigned long long)is, (unsigned long long)should_be);
}

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

/* Finds the nodes, and puts them into their order. */
static int find_nodes(struct drawing *d)
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
			draft_found(d->draft, "%s: slot %u has the state %u and ticket %llu, which is not so", name,
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
			d->lossy = true;
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

static int draw_node(struct drawing *d, uint32_t position)
{
	struct index_entry *entry = &d->entries[position], old;
	struct node_record record;
	const char *name;
	bool trial;
	int r;

	r = read_node(d, entry->id, &record) ?:
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
	expect(d, name, "cores", old.cores, entry->cores);
	expect(d, name, "connections at once", old.limit, entry->limit);
	expect(d, name, "slots taken", old.busy, entry->busy);
	expect(d, name, "speed in thousandths", old.speed, entry->speed);
	expect(d, name, "worth", old.worth, entry->worth);
	expect(d, name, "worth when half busy", old.worth_late, entry->worth_late);
	expect(d, name, "flags", old.flags, entry->flags);
	return store_put(d->to, STORE_NODE, entry->id, 0, &record, sizeof(record));
}

/* ---- the queue ---- */

static int compare_orders(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Notes the place of a cell by what the cell says. Returns its number if it waits or was granted a slot, else 0. */
static uint64_t place_cell(struct drawing *d, uint32_t at, const struct cell *cell)
{
	struct place *place = &d->cells[at];

	place->next = cell->next;
	place->prev = NONE;
	place->state = CELL_FREE;
	if (!cell_is_sane(cell)) {
		draft_found(d->draft, "queue: cell %u has the state %u and number %llu, which is not so", at, cell->state,
			    (unsigned long long)cell->number);
		place->next = at; /* the cell is on no list of free cells */
		d->draft->lost = true;
		return 0;
	}
	if (cell->number > d->last_ticket)
		d->last_ticket = cell->number;
	if (cell->state == CELL_FREE)
		return 0;
	place->state = CELL_WAITING;
	if (cell->state == CELL_GRANTED && place->named)
		place->state = CELL_GRANTED;
	else if (cell->state == CELL_GRANTED)
		draft_found(d->draft, "queue: ticket %llu was handed a slot that is not its own",
			    (unsigned long long)cell->number);
	return cell->number;
}

/* Reads a page of cells; in a rebuild a page that is not there is empty. */
static int read_cells(struct drawing *d, uint32_t page, struct cell_page *ret)
{
	int r = store_read(d->from, STORE_QUEUE, page, 0, ret, sizeof(*ret));

	if (r != -EUCLEAN || !d->draft->rebuild)
		return r;
	d->draft->lost = true;
	for (unsigned i = 0; i < CELLS_PER_PAGE; i++)
		cell_empty(&ret->cells[i]);
	return 0;
}

/* Makes the list of cells that wait and the list of cells that were granted a slot, in the order of their numbers. */
static void link_cells(struct drawing *d, struct order *orders, uint32_t n)
{
	struct farm *farm = &d->draft->farm;

	qsort(orders, n, sizeof(*orders), compare_orders);
	/* Of two cells with the same number at most one is true. Both are emptied: the ticket's owner puts it back. */
	for (uint32_t i = 1; i < n; i++)
		if (orders[i - 1].number == orders[i].number)
			for (uint32_t j = i - 1; j <= i; j++)
				if (d->cells[orders[j].cell].state == CELL_WAITING) {
					d->cells[orders[j].cell].state = CELL_FREE;
					d->cells[orders[j].cell].next = orders[j].cell;
					d->draft->lost = true;
				}
	farm->queue_head = farm->queue_tail = farm->granted_head = farm->granted_tail = NONE;
	farm->queue_length = farm->granted = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = orders[i].cell, *head = &farm->queue_head, *tail = &farm->queue_tail;

		if (d->cells[at].state == CELL_FREE)
			continue;
		if (d->cells[at].state == CELL_GRANTED) {
			head = &farm->granted_head;
			tail = &farm->granted_tail;
			farm->granted++;
		} else {
			farm->queue_length++;
		}
		d->cells[at].prev = *tail;
		d->cells[at].next = NONE;
		*(*tail == NONE ? head : &d->cells[*tail].next) = at;
		*tail = at;
	}
}

/* Makes the list of free cells anew, unless it has each free cell, and no other. */
static void link_free_cells(struct drawing *d)
{
	struct farm *farm = &d->draft->farm;
	uint32_t n_free = farm->cells - farm->queue_length - farm->granted, n = 0, at;

	for (at = farm->free_cell; at < farm->cells && n < n_free && d->cells[at].state == CELL_FREE; at = d->cells[at].next)
		n++;
	if (at == NONE && n == n_free)
		return;
	farm->free_cell = NONE;
	for (at = farm->cells; at-- > 0;)
		if (d->cells[at].state == CELL_FREE) {
			d->cells[at].next = farm->free_cell;
			farm->free_cell = at;
		}
}

static int write_cells(struct drawing *d, uint32_t page)
{
	struct cell_page cells;
	int r = read_cells(d, page, &cells);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < CELLS_PER_PAGE; i++) {
		const struct place *place = &d->cells[page * CELLS_PER_PAGE + i];
		struct cell *cell = &cells.cells[i];

		if (place->state == CELL_FREE)
			cell_empty(cell);
		else if (place->state == CELL_WAITING)
			cell->node = cell->slot = NONE;
		cell->state = (uint16_t)place->state;
		cell->next = place->next;
		cell->prev = place->prev;
	}
	return store_put(d->to, STORE_QUEUE, page, 0, &cells, sizeof(cells));
}

static int draw_queue(struct drawing *d)
{
	uint32_t pages = d->draft->farm.cells / CELLS_PER_PAGE, n = 0;
	struct order *orders = reallocarray(NULL, d->draft->farm.cells + 1u, sizeof(*orders));
	int r = orders ? 0 : -ENOMEM;

	for (uint32_t page = 0; r == 0 && page < pages; page++) {
		struct cell_page cells;

		r = read_cells(d, page, &cells);
		for (unsigned i = 0; r == 0 && i < CELLS_PER_PAGE; i++) {
			uint32_t at = page * CELLS_PER_PAGE + i;
			uint64_t number = place_cell(d, at, &cells.cells[i]);

			if (number > 0)
				orders[n++] = (struct order){ number, at };
		}
	}
	if (r == 0) {
		link_cells(d, orders, n);
		link_free_cells(d);
	}
	free(orders);
	for (uint32_t page = 0; r == 0 && page < pages; page++)
		r = write_cells(d, page);
	return r;
}

/* ---- the farm ---- */

static int count_pages(uint32_t page, uint32_t b, void *arg)
{
	uint32_t *cells = arg;

	(void)b;
	if (page < QUEUE_CELLS_MAX / CELLS_PER_PAGE && (page + 1) * CELLS_PER_PAGE > *cells)
		*cells = (page + 1) * CELLS_PER_PAGE;
	return 0;
}

/* Reads the farm's record, and makes room for what it or the pages of the queue say. */
static int read_farm(struct drawing *d)
{
	struct farm *farm = &d->draft->farm;
	uint32_t cells = CELLS_FIRST; /* a waiter with a cell that is not found takes any cell, see lost.h */
	int r = store_read(d->from, STORE_FARM, 0, 0, &d->old, sizeof(d->old));

	if (d->draft->rebuild && (r == 0 || r == -EUCLEAN)) {
		d->known = r == 0 && farm_check(&d->old) == 0;
		if (!d->known)
			d->old = (struct farm){ .n_nodes = NODES_MAX, .free_cell = NONE }; /* entries that are found count */
		d->unknown = true;
		r = store_each(d->from, STORE_QUEUE, count_pages, &cells);
		d->old.cells = cells;
	} else if (r == 0) {
		r = d->old.n_nodes > NODES_MAX || d->old.cells == 0 || d->old.cells > QUEUE_CELLS_MAX ||
		    d->old.cells % CELLS_PER_PAGE != 0 ? -EUCLEAN : 0;
	}
	if (r < 0)
		return r;
	*farm = d->old;
	d->cells = calloc(farm->cells, sizeof(*d->cells));
	return d->cells ? 0 : -ENOMEM;
}

/* Whether the record of processes that may hold lost slots can be read. */
static int read_lost(struct drawing *d)
{
	uint32_t lost;
	int r;

	if (d->draft->rebuild)
		return 0;
	r = lost_count(d->from, &lost);
	if (r == -EUCLEAN)
		draft_found(d->draft, "lost: the record is of a wrong size, or names what is no process");
	if (r == 0)
		expect(d, "lost", "processes", d->old.lost, lost);
	d->unknown = r == -EUCLEAN || (r == 0 && d->old.lost != lost);
	return r == -EUCLEAN ? 0 : r;
}

static int draw_speed(struct drawing *d)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < SPEED_ROWS; i++) {
		struct speed_row row;

		r = store_read(d->from, STORE_SPEED, i, 0, &row, sizeof(row)) ?: speed_row_check(&row);
		if (r == -EUCLEAN) {
			draft_found(d->draft, "speed: row %u cannot be true", i);
			(void)memset(&row, 0, sizeof(row));
			r = 0;
		}
		if (r == 0)
			r = store_put(d->to, STORE_SPEED, i, 0, &row, sizeof(row));
	}
	return r;
}

/* Keeps what can be read of the history; which waiters are passed is found anew. */
static int draw_history(struct drawing *d)
{
	struct history_record history;
	struct slice_record slice;
	int r = 0;

	if (store_read(d->from, STORE_HISTORY, 0, 0, &history, sizeof(history)) == 0)
		r = store_put(d->to, STORE_HISTORY, 0, 0, &history, sizeof(history));
	for (uint32_t i = 0; r == 0 && i < SCORE_SLICES; i++)
		if (store_read(d->from, STORE_SLICE, i, 0, &slice, sizeof(slice)) == 0)
			r = store_put(d->to, STORE_SLICE, i, 0, &slice, sizeof(slice));
	return r < 0 ? r : history_format(d->to) ?: passed_format(d->to);
}

/* If the record cannot be true, the node list's path is forgotten: the next load notes it again. */
static int draw_origin(struct drawing *d)
{
	struct origin origin;
	int r = store_read(d->from, STORE_ORIGIN, 0, 0, &origin, sizeof(origin)) ?: origin_check(&origin);

	if (r == -EUCLEAN) {
		origin = (struct origin){ 0 };
		surroundings_self(&origin.surroundings);
		r = 0;
	}
	return r < 0 ? r : store_put(d->to, STORE_ORIGIN, 0, 0, &origin, sizeof(origin));
}

/* Makes sure that the next id and the next ticket have not been given out before. */
static void draw_next(struct drawing *d)
{
	struct farm *farm = &d->draft->farm;

	if (farm->next_id <= d->last_id) {
		draft_found(d->draft, "farm: the next node would be %u, and there is a node %u", farm->next_id, d->last_id);
		farm->next_id = d->last_id + 1;
	}
	if (farm->next_ticket <= d->last_ticket) {
		draft_found(d->draft, "farm: the next ticket would be %llu, and there is a ticket %llu",
			    (unsigned long long)farm->next_ticket, (unsigned long long)d->last_ticket);
		farm->next_ticket = d->last_ticket + 1;
	}
	farm->incomplete = farm->incomplete != 0;
	if (farm->clients > MEMORY_CLIENTS_MAX)
		farm->clients = 0;
	if (farm->parties > PARTIES_MAX || farm->parties % PARTIES_PER_PAGE != 0)
		farm->parties = 0;
	farm->fair = farm->parties > 0 && farm->fair != 0;
}

/* The farm's record is gone, and with it the split. The nodes that were read have their shares; a node that a load brings
 * back gets none of its cores until the split is told again. */
static void draw_split(struct drawing *d)
{
	d->draft->farm.split = (struct split){ .parts = d->shared ? 1 : 0 };
	d->draft->farm.unsplit_usec = d->shared;
}

/*
 * As draw_next(), for a rebuild: the next numbers are behind all that were given
 * out, also behind those that were not found, so that a new ticket is behind all
 * that wait. Fewer tickets than one a microsecond are given out, so that the
 * microseconds since the machine was started are a bound.
 */
static void draw_next_unseen(struct drawing *d)
{
	struct farm *farm = &d->draft->farm;
	uint64_t behind = d->last_ticket + ORDER_GAP, now_usec = now_boottime();

	if (!d->known)
		draw_split(d);
	d->known = d->known && d->old.n_nodes == d->n && d->old.next_id > d->last_id && d->old.next_ticket > d->last_ticket;
	farm->lost = 0;
	if (d->known)
		return;
	/* A node with no record left shows nowhere else: nodes may be missing. */
	d->lossy = true;
	farm->incomplete = 1;
	farm->paused = farm->verbosity = farm->cursor = farm->ring = farm->clients = farm->parties = farm->fair = 0;
	farm->forget_sec = 0;
	farm->next_id = d->last_id + 1000;
	farm->next_ticket = behind > now_usec ? behind : now_usec;
}

/* Names the processes that may hold lost slots. */
static int draw_lost(struct drawing *d)
{
	struct holder *users = NULL;
	size_t n = 0;
	int r;

	if (!d->lossy && (!d->unknown || d->draft->rebuild))
		return 0;
	d->draft->lost = true;
	if (!d->draft->repair)
		return 0;
	r = users_find(&d->draft->file, d->draft->path, &users, &n) ?:
	    lost_begin(d->to, &d->draft->farm, users, n);
	free(users);
	return r;
}

static int draw_farm(struct drawing *d)
{
	struct farm *farm = &d->draft->farm;
	int r;

	if (d->draft->rebuild) {
		draw_next_unseen(d);
		farm->n_nodes = 0; /* the new store has no index yet */
	} else {
		draw_next(d);
	}
	r = draw_lost(d) ?:
	    index_build(d->to, farm, d->entries, d->n) ?:
	    ring_build(d->to, farm) ?:
	    memory_copy(d->from, d->to, farm) ?:
	    party_build(d->to, farm);
	if (!d->moved && !d->draft->rebuild)
		farm->layout = d->old.layout;
	return r < 0 ? r : store_put(d->to, STORE_FARM, 0, 0, farm, sizeof(*farm));
}

int draft_draw(struct draft *draft)
{
	struct drawing d = { .draft = draft, .from = draft->from, .to = draft->to };
	int r = read_farm(&d) ?: read_lost(&d) ?: find_nodes(&d);

	for (uint32_t i = 0; r == 0 && i < d.n; i++)
		r = draw_node(&d, i);
	if (r == 0)
		r = draw_queue(&d) ?:
		    draw_speed(&d) ?:
		    draw_history(&d) ?:
		    draw_origin(&d) ?:
		    draw_farm(&d);
	free(d.entries);
	free(d.cells);
	free(d.pages);
	return r;
}
