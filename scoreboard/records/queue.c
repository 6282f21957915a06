/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "queue.h"

#include <errno.h>
#include <string.h>

#include "party.h"
#include "store/store.h"
#include "system/timespan.h"

int queue_get(struct store *store, const struct farm *farm, uint32_t number, struct cell **ret)
{
	struct cell_page *page;
	int r;

	if (number >= farm->cells)
		return -EUCLEAN;
	r = STORE_GET(store, STORE_QUEUE, number / CELLS_PER_PAGE, 0, &page);
	if (r < 0)
		return r;
	*ret = &page->cells[number % CELLS_PER_PAGE];
	(*ret)->client[SCORE_CLIENT_MAX] = '\0';
	return 0;
}

int queue_read(struct store *store, const struct farm *farm, uint32_t number, struct cell *ret)
{
	struct cell_page page;
	int r;

	if (number >= farm->cells)
		return -EUCLEAN;
	r = store_read(store, STORE_QUEUE, number / CELLS_PER_PAGE, 0, &page, sizeof(page));
	if (r < 0)
		return r;
	*ret = page.cells[number % CELLS_PER_PAGE];
	ret->client[SCORE_CLIENT_MAX] = '\0';
	return 0;
}

int queue_read_next(struct store *store, const struct farm *farm, uint32_t number, struct cell_reader *reader,
		    const struct cell **ret)
{
	struct cell *cell = &reader->page.cells[number % CELLS_PER_PAGE];
	int r;

	if (number >= farm->cells)
		return -EUCLEAN;
	if (number / CELLS_PER_PAGE != reader->number) {
		r = store_read(store, STORE_QUEUE, number / CELLS_PER_PAGE, 0, &reader->page, sizeof(reader->page));
		reader->number = r < 0 ? NONE : number / CELLS_PER_PAGE;
		if (r < 0)
			return r;
	}
	cell->client[SCORE_CLIENT_MAX] = '\0';
	*ret = cell;
	return 0;
}

int queue_find(struct store *store, const struct farm *farm, const struct score_ticket *ticket, struct cell **ret)
{
	int r;

	if (ticket->cell >= farm->cells)
		return -ESTALE;
	r = queue_get(store, farm, ticket->cell, ret);
	if (r < 0)
		return r;
	if (!cell_is_sane(*ret))
		return -EUCLEAN;
	return (*ret)->state != CELL_FREE && (*ret)->number == ticket->number ? 0 : -ESTALE;
}

static void set(struct store *store, uint32_t *field, uint32_t value)
{
	*field = value;
	store_touch(store, field, sizeof(*field));
}

/* A list of cells in the order of their numbers: points to its ends in the farm's record. */
struct ends {
	uint32_t *head, *tail;
};

static struct ends waiting_ones(struct farm *farm)
{
	return (struct ends){ &farm->queue_head, &farm->queue_tail };
}

static struct ends granted_ones(struct farm *farm)
{
	return (struct ends){ &farm->granted_head, &farm->granted_tail };
}

/* Sets next in the cell before (or the list's head), and prev in the cell behind (or the list's tail). */
static int link_around(struct store *store, const struct farm *farm, struct ends ends, uint32_t before,
		       uint32_t behind, uint32_t next, uint32_t prev)
{
	struct cell *cell;
	int r;

	if (before == NONE) {
		set(store, ends.head, next);
	} else {
		r = queue_get(store, farm, before, &cell);
		if (r < 0)
			return r;
		set(store, &cell->next, next);
	}
	if (behind == NONE) {
		set(store, ends.tail, prev);
		return 0;
	}
	r = queue_get(store, farm, behind, &cell);
	if (r == 0)
		set(store, &cell->prev, prev);
	return r;
}

/*
 * Finds the two cells of a list between which a number belongs. A new number is
 * behind the tail; a number that comes back is mostly before the head. The walk
 * is long only in the rare other cases.
 */
static int find_place(struct store *store, const struct farm *farm, struct ends ends, uint64_t number,
		      uint32_t *ret_before, uint32_t *ret_behind)
{
	uint32_t before = NONE, behind = *ends.head;
	uint64_t last = 0;
	struct cell cell;
	int r;

	if (*ends.tail != NONE) {
		r = queue_read(store, farm, *ends.tail, &cell);
		if (r < 0)
			return r;
		if (!cell_is_sane(&cell) || cell.number == 0)
			return -EUCLEAN;
		if (cell.number < number) {
			*ret_before = *ends.tail;
			*ret_behind = NONE;
			return 0;
		}
	}
	while (behind != NONE) {
		r = queue_read(store, farm, behind, &cell);
		if (r < 0)
			return r;
		if (before != NONE && cell.number <= last)
			return -EUCLEAN; /* the list may be a ring */
		if (cell.number > number)
			break;
		last = cell.number;
		before = behind;
		behind = cell.next;
	}
	*ret_before = before;
	*ret_behind = behind;
	return 0;
}

/* A free cell holds exactly what cell_empty() writes. Zeros in all or a part of it are damage: a zeroed page must not
 * read as free cells. */
static bool is_empty(const struct cell *cell)
{
	static const struct cell zeros;
	struct cell rest = *cell;

	rest.next = rest.prev = rest.node = rest.slot = rest.kin_next = rest.kin_prev = 0;
	return cell->prev == NONE && cell->node == NONE && cell->slot == NONE && cell->kin_next == NONE &&
	       cell->kin_prev == NONE && memcmp(&rest, &zeros, sizeof(rest)) == 0;
}

bool cell_is_sane(const struct cell *cell)
{
	if (cell->number > TICKET_MAX || cell->owner.pid > INT32_MAX)
		return false;
	switch (cell->state) {
	case CELL_FREE:
		return is_empty(cell);
	case CELL_WAITING:
		return cell->number != 0 && cell->owner.pid != 0 && cell->node == NONE && *cell->wake;
	case CELL_GRANTED:
		return cell->number != 0 && cell->owner.pid != 0 && cell->node != NONE && *cell->wake;
	default:
		return false;
	}
}

void cell_empty(struct cell *cell)
{
	(void)memset(cell, 0, sizeof(*cell));
	cell->next = cell->prev = cell->node = cell->slot = cell->kin_next = cell->kin_prev = NONE;
}

/* Fills a cell that is in no list, and puts it into the queue. */
static int wait_in(struct store *store, struct farm *farm, uint32_t at, struct cell *cell,
		   uint64_t number, const struct holder *owner, enum score_policy policy, const char *client,
		   const char wake[static WAKE_NAME_SIZE])
{
	uint32_t before, behind;
	int r = find_place(store, farm, waiting_ones(farm), number, &before, &behind);

	if (r < 0)
		return r;
	(void)memset(cell, 0, sizeof(*cell));
	cell->number = number;
	cell->owner = *owner;
	cell->policy = (uint16_t)policy;
	cell->since_usec = now_boottime();
	cell->state = CELL_WAITING;
	cell->next = behind;
	cell->prev = before;
	cell->node = cell->slot = cell->kin_next = cell->kin_prev = NONE;
	(void)memcpy(cell->wake, wake, WAKE_NAME_SIZE);
	(void)memcpy(cell->client, client, strnlen(client, SCORE_CLIENT_MAX));
	store_touch(store, cell, sizeof(*cell));

	farm->queue_length++;
	store_touch(store, farm, sizeof(*farm));
	return link_around(store, farm, waiting_ones(farm), before, behind, at, at);
}

int queue_insert(struct store *store, struct farm *farm, uint64_t number, const struct holder *owner,
		 enum score_policy policy, const char *client, const char wake[static WAKE_NAME_SIZE], uint32_t *ret_cell)
{
	uint32_t at = farm->free_cell;
	struct cell *cell;
	int r;

	if (at == NONE)
		return -EXFULL;
	r = queue_get(store, farm, at, &cell);
	if (r < 0)
		return r;
	if (cell->state != CELL_FREE || !cell_is_sane(cell))
		return -EUCLEAN;
	farm->free_cell = cell->next;
	*ret_cell = at;
	return wait_in(store, farm, at, cell, number, owner, policy, client, wake);
}

int queue_unlink(struct store *store, struct farm *farm, struct cell *cell)
{
	uint32_t before = cell->prev, behind = cell->next;

	if (cell->state != CELL_WAITING || farm->queue_length == 0)
		return -EUCLEAN;
	farm->queue_length--;
	cell->prev = cell->next = NONE;
	store_touch(store, cell, sizeof(*cell));
	store_touch(store, farm, sizeof(*farm));
	return party_unwait(store, farm, cell) ?: link_around(store, farm, waiting_ones(farm), before, behind, behind, before);
}

int queue_grant(struct store *store, struct farm *farm, uint32_t number, struct cell *cell)
{
	uint32_t before, behind;
	int r = find_place(store, farm, granted_ones(farm), cell->number, &before, &behind);

	if (r < 0)
		return r;
	cell->state = CELL_GRANTED;
	cell->next = behind;
	cell->prev = before;
	store_touch(store, cell, sizeof(*cell));
	farm->granted++;
	store_touch(store, farm, sizeof(*farm));
	return link_around(store, farm, granted_ones(farm), before, behind, number, number);
}

int queue_ungrant(struct store *store, struct farm *farm, struct cell *cell)
{
	uint32_t before = cell->prev, behind = cell->next;

	if (cell->state != CELL_GRANTED || farm->granted == 0)
		return -EUCLEAN;
	cell->prev = cell->next = NONE;
	store_touch(store, cell, sizeof(*cell));
	farm->granted--;
	store_touch(store, farm, sizeof(*farm));
	return link_around(store, farm, granted_ones(farm), before, behind, behind, before);
}

void queue_free(struct store *store, struct farm *farm, uint32_t number, struct cell *cell)
{
	cell_empty(cell);
	cell->next = farm->free_cell;
	farm->free_cell = number;
	store_touch(store, cell, sizeof(*cell));
	store_touch(store, farm, sizeof(*farm));
}

int queue_grow(struct store *store, struct farm *farm)
{
	uint32_t cells = farm->cells ? farm->cells * 2 : CELLS_FIRST;
	struct cell_page page;
	struct cell last;
	int r = 0;

	if (farm->cells % CELLS_PER_PAGE != 0)
		return -EUCLEAN;
	if (farm->cells > QUEUE_CELLS_MAX / 2)
		return -EUSERS;
	/* If the number of cells is damaged, its last cell is missing: it must not become gigabytes of pages. */
	if (farm->cells > 0)
		r = queue_read(store, farm, farm->cells - 1, &last);
	/* From the last page to the first, so that the free list begins with the lowest new cell. */
	for (uint32_t i = cells; r == 0 && i > farm->cells; i -= CELLS_PER_PAGE) {
		for (uint32_t j = CELLS_PER_PAGE; j-- > 0;) {
			struct cell *cell = &page.cells[j];

			cell_empty(cell);
			cell->next = farm->free_cell;
			farm->free_cell = i - CELLS_PER_PAGE + j;
		}
		r = store_put(store, STORE_QUEUE, i / CELLS_PER_PAGE - 1, 0, &page, sizeof(page));
	}
	if (r == 0)
		farm->cells = cells;
	return r;
}
