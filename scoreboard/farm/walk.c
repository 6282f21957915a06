/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "walk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "claim.h"
#include "store/store.h"
#include "system/grow.h"

/* ---- nodes ---- */

struct stroll {
	uint32_t position;     /* where it goes on */
	uint32_t layout;       /* of the farm when it began */
	uint32_t last_id;      /* of the node before that position */
	unsigned restarts;
	bool begins_again;     /* in the last section */
};

/* Whether the nodes' order has changed since the last section in a way that matters to the walk: as a whole, or as a node
 * moved across the walk's position. 1, 0, or -errno. */
static int is_overtaken(struct score *s, const struct farm *farm, const struct stroll *stroll)
{
	struct index_entry *entry;
	int r;

	if (stroll->position == 0)
		return 0;
	if (farm->layout != stroll->layout || stroll->position > farm->n_nodes)
		return 1;
	r = index_get(s->store, farm, stroll->position - 1, &entry);
	return r < 0 ? r : entry->id != stroll->last_id;
}

/* One section of a walk. 1 if there are more nodes, 0 if not, what fn returned if that is below 0, or -errno. *ret_fn:
 * what fn returned otherwise. */
static int walk_some(struct score *s, struct stroll *stroll,
		     int (*fn)(struct score *s, struct farm *farm, struct index_entry *entry, void *arg),
		     void (*restart)(void *arg), void *arg, int *ret_fn)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = is_overtaken(s, farm, stroll);
	stroll->begins_again = r > 0;
	if (r > 0) {
		stroll->restarts++;
		stroll->position = 0;
		if (restart)
			restart(arg);
		r = 0;
	}
	stroll->layout = farm->layout;
	for (uint32_t i = 0; r == 0 && i < WALK_NODES && stroll->position < farm->n_nodes; i++, stroll->position++) {
		struct index_entry *entry;

		r = index_get(s->store, farm, stroll->position, &entry);
		if (r == 0)
			stroll->last_id = entry->id;
		if (r == 0)
			r = *ret_fn = fn(s, farm, entry, arg);
		store_trim(s->store);
	}
	if (r == 0)
		r = stroll->position < farm->n_nodes;
	farm_leave(s);
	return r;
}

int walk_nodes(struct score *s, int (*fn)(struct score *s, struct farm *farm, struct index_entry *entry, void *arg),
	       void (*restart)(void *arg), void *arg)
{
	const struct timespec pause = { .tv_nsec = WALK_PAUSE_NSEC };
	struct stroll stroll = { .position = 0 };
	int r, returned = 0;

	do {
		r = walk_some(s, &stroll, fn, restart, arg, &returned);
		/* The order is changed by many short sections in a row: let that come to its end. */
		if (r == 1 && returned == 0 && stroll.begins_again && stroll.restarts > WALK_RESTARTS_MAX)
			(void)nanosleep(&pause, NULL);
	} while (r == 1 && returned == 0);
	return r < 0 ? r : returned;
}

struct sought {
	const char *name;
	uint32_t id, next_id;
};

/* 1 if the entry is of the node of that name. */
static int compare_name(struct score *s, struct farm *farm, struct index_entry *entry, void *arg)
{
	struct sought *sought = arg;
	struct node_record record;
	int r = store_read(s->store, STORE_NODE, entry->id, 0, &record, sizeof(record));

	if (r < 0)
		return r;
	if (sought->next_id == 0)
		sought->next_id = farm->next_id;
	record.config.name[sizeof(record.config.name) - 1] = '\0';
	sought->id = entry->id;
	return strcmp(record.config.name, sought->name) == 0;
}

static void forget_sought(void *arg)
{
	((struct sought *)arg)->next_id = 0;
}

int walk_find(struct score *s, const char *name, uint32_t *ret_id, uint32_t *ret_next_id)
{
	struct sought sought = { .name = name };
	int r = walk_nodes(s, compare_name, forget_sought, &sought);

	*ret_id = sought.id;
	if (ret_next_id)
		*ret_next_id = sought.next_id;
	return r == 1 ? 0 : r == 0 ? -ENOENT : r;
}

/* ---- slots ---- */

struct busy_nodes {
	uint32_t *ids;
	size_t n, room;
};

static int note_busy(struct score *s, struct farm *farm, struct index_entry *entry, void *arg)
{
	struct busy_nodes *busy = arg;

	(void)s;
	(void)farm;
	if (entry->busy == 0)
		return 0;
	if (GROW(busy->ids, busy->n, busy->room) < 0)
		return -ENOMEM;
	busy->ids[busy->n++] = entry->id;
	return 0;
}

static void forget_busy(void *arg)
{
	((struct busy_nodes *)arg)->n = 0;
}

typedef int (*slot_fn)(struct score *s, struct farm *farm, const struct node_record *record, uint32_t id,
		       uint32_t number, const struct slot *slot, void *arg);

/* Walks some pages of a node's slots, from *page on, which is then set behind them. 1 if there are more, 0 if not, or
 * -errno. */
static int walk_pages(struct score *s, uint32_t id, uint32_t *page, slot_fn fn, void *arg, int *ret_fn)
{
	bool from_first = *page == 0;
	struct section at;
	uint32_t busy;
	int r = section_enter(s, id, &at);

	if (r < 0)
		return r == -ENOENT ? 0 : r; /* the node has gone meanwhile */
	busy = at.entry->busy;
	for (uint32_t i = 0; r == 0 && i < WALK_PAGES && *page < at.record->slot_pages && (busy > 0 || !from_first); i++, ++*page) {
		struct slot_page slots;

		r = store_read(s->store, STORE_SLOTS, id, *page, &slots, sizeof(slots));
		for (uint32_t j = 0; r == 0 && j < SLOTS_PER_PAGE && (busy > 0 || !from_first); j++) {
			r = *ret_fn = fn(s, at.farm, at.record, id, *page * SLOTS_PER_PAGE + j, &slots.slots[j], arg);
			if (slots.slots[j].state != SLOT_FREE && busy > 0)
				busy--;
		}
	}
	if (r == 0 && from_first && busy == 0)
		r = 0;
	else if (r == 0 && *page < at.record->slot_pages)
		r = 1;
	else if (r == 0 && from_first)
		r = -EUCLEAN; /* fewer are taken than the node's entry says */
	farm_leave(s);
	return r;
}

int walk_slots(struct score *s, slot_fn fn, void *arg)
{
	struct busy_nodes busy = { .n = 0 };
	int r = walk_nodes(s, note_busy, forget_busy, &busy), returned = 0;

	for (size_t i = 0; r == 0 && returned == 0 && i < busy.n; i++) {
		uint32_t page = 0;

		do
			r = walk_pages(s, busy.ids[i], &page, fn, arg, &returned);
		while (r == 1 && returned == 0);
	}
	free(busy.ids);
	return r < 0 ? r : returned;
}

/* ---- the queue ---- */

int walk_cells(struct score *s, int (*fn)(struct score *s, struct farm *farm, uint32_t number, const struct cell *cell,
					  void *arg), void *arg)
{
	uint32_t number = 0;
	bool more = true;
	int r = 0;

	while (r == 0 && more) {
		struct farm *farm;

		r = farm_enter(s, &farm);
		if (r < 0)
			return r;
		for (uint32_t i = 0; r == 0 && i < WALK_PAGES && number < farm->cells; i++) {
			struct cell_page page;

			r = store_read(s->store, STORE_QUEUE, number / CELLS_PER_PAGE, 0, &page, sizeof(page));
			for (uint32_t j = 0; r == 0 && j < CELLS_PER_PAGE; j++, number++)
				r = fn(s, farm, number, &page.cells[j], arg);
		}
		more = number < farm->cells;
		farm_leave(s);
	}
	return r;
}
