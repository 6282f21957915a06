/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * draft_queue.c: the lists of the queue as they must be. What a cell says of itself
 * is the truth, unless it cannot be true, or says that a slot was granted which
 * names another cell. The lists follow from that.
 */

#include "drawing.h"

#include <errno.h>
#include <stdlib.h>

#include "records/queue.h"

struct order {
	uint64_t number;
	uint32_t cell;
};

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
		draft_found(d->draft, "queue: cell %u has the state %u and number %llu, which cannot be", at, cell->state,
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

int drawing_queue(struct drawing *d)
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
