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

#include "drawing.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lost.h"
#include "records/history.h"
#include "records/memory.h"
#include "records/origin.h"
#include "records/party.h"
#include "records/party_build.h"
#include "records/passed.h"
#include "records/patience.h"
#include "records/queue.h"
#include "records/ring.h"
#include "records/speed.h"
#include "store/file.h"
#include "system/grow.h"
#include "system/timespan.h"
#include "users.h"

#define ORDER_GAP (UINT64_C(1) << 20) /* so many tickets may have been given out and not been found */

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

void drawing_expect(struct drawing *d, const char *where, const char *what, uint64_t is, uint64_t should_be)
{
	if (is != should_be)
		draft_found(d->draft, "%s: %s: is %llu, should be %llu", where, what,
			    (unsigned long long)is, (unsigned long long)should_be);
}

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
		drawing_expect(d, "lost", "processes", d->old.lost, lost);
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

/* Which waiters are passed is kept as it is, since nothing depends on it; where cells may move it is found anew. */
static int draw_passed(struct drawing *d)
{
	struct passed passed;

	if (d->draft->rebuild || store_read(d->from, STORE_PASSED, 0, 0, &passed, sizeof(passed)) < 0)
		return passed_format(d->to);
	return store_put(d->to, STORE_PASSED, 0, 0, &passed, sizeof(passed));
}

/* Keeps what can be read of the history. */
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
	return r < 0 ? r : history_format(d->to) ?: draw_passed(d) ?: patience_copy(d->from, d->to);
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
	/* Slots of nodes that were lost, and that a load brings back, may be held by the processes on the record. */
	d->lossy |= d->known && d->old.lost > 0;
	farm->lost = 0;
	if (d->known)
		return;
	/* A node with no record left shows nowhere else: nodes may be missing. */
	d->lossy = true;
	farm->incomplete = 1;
	farm->cursor = farm->ring = farm->clients = farm->parties = farm->fair = 0;
	farm->forget_sec = 0;
	farm->next_id = d->last_id + 1000;
	farm->next_ticket = behind > now_usec ? behind : now_usec;
}

/* Processes have tickets of another time: the next ticket is behind them, see draw_next_unseen(). */
static void draw_next_of_all(struct drawing *d)
{
	struct farm *farm = &d->draft->farm;
	uint64_t now_usec = now_boottime();

	if (d->draft->lose_all && farm->next_ticket < now_usec)
		farm->next_ticket = now_usec;
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
	r = users_find(&d->draft->file, &store_file(d->to)->folder, d->draft->path, &users, &n) ?:
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
	draw_next_of_all(d);
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
	struct drawing d = { .draft = draft, .from = draft->from, .to = draft->to, .lossy = draft->lose_all };
	int r = read_farm(&d) ?: read_lost(&d) ?: drawing_find_nodes(&d);

	for (uint32_t i = 0; r == 0 && i < d.n; i++)
		r = drawing_node(&d, i);
	if (r == 0)
		r = drawing_queue(&d) ?:
		    draw_speed(&d) ?:
		    draw_history(&d) ?:
		    draw_origin(&d) ?:
		    draw_farm(&d);
	free(d.entries);
	free(d.cells);
	free(d.pages);
	return r;
}
