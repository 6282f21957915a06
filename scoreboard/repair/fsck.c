/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fsck.c: compares what is derived with what it is derived from.
 *
 * The truth is: which nodes there are (their index entries' ids, in order),
 * what a node's record says, who holds each slot, and which cells wait. The
 * rest (counts, lists, keys, flags) follows, and --repair writes it anew. A slot
 * that cannot be what it says becomes a lost one, and such a cell is emptied: its
 * waiter comes back, see lost.h. Where the
 * truth itself contradicts itself or is not there, only a rebuild helps: -EUCLEAN.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm/claim.h"
#include "fsck.h"
#include "farm/learn.h"
#include "lost.h"
#include "store/store.h"
#include "users.h"

#define PASSES_MAX 4 /* what one pass of a repair uncovers, the next one mends */

struct check {
	struct score *s;
	struct farm farm;
	struct index_entry *entries;   /* as they are; then as they should be */
	uint8_t *granted;              /* for each cell: a slot names it */
	uint64_t last_ticket;
	uint32_t last_id;
	unsigned findings;
	bool repair;
	bool lost_slots, lost_cells;   /* the repair made some */
	bool unknown;                  /* who may hold those that were lost before cannot be read: all are asked again */
	void (*tell)(const char *finding, void *arg);
	void *arg;
};

static void found(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void found(struct check *check, const char *format, ...)
{
	char text[512];
	va_list ap;

	check->findings++;
	if (!check->tell)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	check->tell(text, check->arg);
}

static void expect(struct check *check, const char *where, const char *what, uint64_t is, uint64_t should_be)
{
	if (is != should_be)
		found(check, "%s: %s: is %llu, should be %llu", where, what,
		      (unsigned long long)is, (unsigned long long)should_be);
}

/* ---- slots ---- */

static int read_slot(struct check *check, uint32_t node, uint32_t number, struct slot *ret)
{
	struct slot_page page;
	int r = store_read(check->s->store, STORE_SLOTS, node, number / SLOTS_PER_PAGE, &page, sizeof(page));

	if (r < 0)
		return r;
	*ret = page.slots[number % SLOTS_PER_PAGE];
	return 0;
}

enum judgement { IS_FREE, IS_TAKEN, IS_INSANE, IS_NO_LONGER_LOST };

/* What a slot is (enum judgement), or -errno; a granted one and its waiter's cell name each other. */
static int judge_slot(struct check *check, uint32_t node, uint32_t number, const struct slot *slot)
{
	struct cell cell;
	int r;

	if (slot->ticket > check->last_ticket && slot_is_sane(slot))
		check->last_ticket = slot->ticket;
	if (!slot_is_sane(slot))
		return IS_INSANE;
	if (slot->state == SLOT_LOST)
		return check->farm.lost > 0 || check->unknown ? IS_TAKEN : IS_NO_LONGER_LOST;
	if (slot->state != SLOT_GRANTED)
		return slot->state == SLOT_BUSY ? IS_TAKEN : IS_FREE;
	if (slot->cell >= check->farm.cells)
		return IS_INSANE;
	r = queue_read(check->s->store, &check->farm, slot->cell, &cell);
	if (r < 0)
		return r;
	if (cell.state != CELL_GRANTED || cell.number != slot->ticket || cell.node != node || cell.slot != number)
		return IS_INSANE;
	check->granted[slot->cell] = 1;
	return IS_TAKEN;
}

/* Follows the list of free slots; every one on it is free, below cores, and met once. */
static int check_free_list(struct check *check, const char *name, const struct index_entry *entry, uint32_t n_free)
{
	uint32_t number = entry->free_slot, n = 0;

	while (number != NONE) {
		struct slot slot;
		int r;

		if (number >= entry->cores || n++ >= n_free) {
			found(check, "%s: its list of free slots is wrong at slot %u", name, number);
			return 0;
		}
		r = read_slot(check, entry->id, number, &slot);
		if (r < 0)
			return r;
		if (slot.state != SLOT_FREE) {
			found(check, "%s: slot %u is on the list of free ones and is taken", name, number);
			return 0;
		}
		number = slot.next_free;
	}
	expect(check, name, "free slots on the list", n, n_free);
	return 0;
}

static int check_slots(struct check *check, const struct node_record *record, const struct index_entry *entry,
		       uint32_t *ret_busy, bool *ret_trial)
{
	uint32_t n_free = 0;
	int r = 0;

	*ret_busy = 0;
	*ret_trial = false;
	for (uint32_t number = 0; r == 0 && number < record->slot_pages * SLOTS_PER_PAGE; number++) {
		struct slot slot;

		r = read_slot(check, entry->id, number, &slot);
		if (r < 0)
			break;
		r = judge_slot(check, entry->id, number, &slot);
		if (r == IS_INSANE)
			found(check, "%s: slot %u has the state %u and ticket %llu, which is not so", record->config.name,
			      number, slot.state, (unsigned long long)slot.ticket);
		if (r == IS_NO_LONGER_LOST)
			found(check, "%s: slot %u is lost, and nobody is left who may hold it", record->config.name, number);
		n_free += r == IS_FREE && number < record->config.cores;
		*ret_busy += r == IS_INSANE; /* as a lost one will */
		if (r == IS_TAKEN) {
			++*ret_busy;
			*ret_trial |= slot.trial;
		}
		r = r < 0 ? r : 0;
	}
	return r < 0 ? r : check_free_list(check, record->config.name, entry, n_free);
}

/* ---- nodes ---- */

static int check_node(struct check *check, uint32_t position)
{
	struct index_entry *entry = &check->entries[position];
	uint32_t flags = entry->flags & (ENTRY_TRIAL_OPEN | ENTRY_TRIAL_RUNS), busy;
	struct node_record record;
	const char *name;
	bool trial;
	int r;

	r = store_read(check->s->store, STORE_NODE, entry->id, 0, &record, sizeof(record));
	if (r < 0)
		return r;
	name = record.config.name;
	r = node_check(&record);
	if (r < 0 || record.slot_pages < slot_pages(record.config.cores))
		return -EUCLEAN;
	r = check_slots(check, &record, entry, &busy, &trial);
	if (r < 0)
		return r;

	expect(check, name, "position", record.position, position);
	expect(check, name, "cores", entry->cores, record.config.cores);
	expect(check, name, "connections at once", entry->limit, node_limit(&record));
	if (entry->id > check->last_id)
		check->last_id = entry->id;
	expect(check, name, "slots taken", entry->busy, busy);
	expect(check, name, "speed in thousandths", entry->speed, node_speed(&record));
	if (!(record.flags & BN_DOWN))
		flags = ENTRY_UP | (trial ? flags & ENTRY_TRIAL_RUNS : 0);
	else if (flags & ENTRY_TRIAL_RUNS && !trial)
		flags = ENTRY_TRIAL_OPEN;
	flags |= (record.flags & BN_HOLD ? ENTRY_HELD : 0) | (record.draining ? ENTRY_DRAINING : 0) |
		 (record.config.backup ? ENTRY_BACKUP : 0) | (agent_reason(&record.agent) ? ENTRY_AGENT : 0);
	expect(check, name, "flags", entry->flags, flags);
	entry->cores = record.config.cores;
	entry->limit = node_limit(&record);
	entry->busy = busy;
	entry->speed = node_speed(&record);
	entry->flags = flags;
	return 0;
}

/* Every key of the index, against what its entry makes of it now. */
static int check_index(struct check *check)
{
	struct index_key root = { .retry_usec = UINT64_MAX };
	uint32_t primaries_up = 0, nodes_up = 0, busy = 0;
	int r;

	for (uint32_t i = 0; i < check->farm.n_nodes; i++) {
		struct index_entry entry = check->entries[i];

		index_make_key(&entry, i);
		if (memcmp(&entry.key, &check->entries[i].key, sizeof(entry.key)) != 0)
			found(check, "index: the key of position %u is wrong", i);
		index_key_better(&root, &entry.key);
		primaries_up += index_is_primary_up(entry.flags);
		nodes_up += index_is_up(entry.flags);
		busy += entry.busy;
	}
	expect(check, "farm", "nodes up that are no backup", check->farm.primaries_up, primaries_up);
	expect(check, "farm", "nodes up", check->farm.nodes_up, nodes_up);
	expect(check, "farm", "slots taken", check->farm.busy, busy);
	if (memcmp(&check->farm.root, &root, sizeof(root)) != 0)
		found(check, "index: the best of all nodes is wrong");
	r = index_check_levels(check->s->store, &check->farm);
	if (r == 1)
		found(check, "index: a page is summed up wrongly");
	return r < 0 ? r : 0;
}

/* ---- the queue ---- */

/* Follows a list of cells in that state; in the order of their numbers, each met once. How many in *ret_listed. */
static int check_order(struct check *check, const char *where, enum cell_state state, uint32_t head, uint32_t tail,
		       uint32_t *ret_listed)
{
	uint32_t before = NONE, at;
	uint64_t number = 0;
	struct cell cell;
	int r;

	*ret_listed = 0;
	for (at = head; at != NONE; before = at, at = cell.next) {
		r = queue_read(check->s->store, &check->farm, at, &cell);
		if (r < 0)
			return r == -EUCLEAN ? (found(check, "%s: broken behind cell %u", where, before), 0) : r;
		if (++*ret_listed > check->farm.cells || cell.state != (uint32_t)state || cell.prev != before ||
		    cell.number <= number) {
			found(check, "%s: out of order at cell %u", where, at);
			break;
		}
		number = cell.number;
	}
	if (at == NONE)
		expect(check, where, "tail", tail, before);
	return 0;
}

static int check_queue(struct check *check)
{
	uint32_t waiting = 0, granted = 0, listed, granted_listed, n_free = 0, free_listed = 0, at;
	const struct farm *farm = &check->farm;
	struct cell cell;
	int r;

	for (uint32_t i = 0; i < farm->cells; i++) {
		r = queue_read(check->s->store, farm, i, &cell);
		if (r < 0)
			return r;
		waiting += cell.state == CELL_WAITING;
		n_free += cell.state == CELL_FREE;
		granted += check->granted[i];
		if (!cell_is_sane(&cell)) {
			found(check, "queue: cell %u has the state %u and number %llu, which is not so", i, cell.state,
			      (unsigned long long)cell.number);
			continue;
		}
		if (cell.number > check->last_ticket)
			check->last_ticket = cell.number;
		if (cell.state == CELL_GRANTED && !check->granted[i])
			found(check, "queue: ticket %llu was handed a slot that is not its own",
			      (unsigned long long)cell.number);
	}
	r = check_order(check, "queue", CELL_WAITING, farm->queue_head, farm->queue_tail, &listed);
	if (r == 0)
		r = check_order(check, "granted", CELL_GRANTED, farm->granted_head, farm->granted_tail, &granted_listed);
	if (r < 0)
		return r;
	for (at = farm->free_cell; at != NONE; at = cell.next) {
		r = queue_read(check->s->store, farm, at, &cell);
		if (r < 0 || free_listed++ >= farm->cells || cell.state != CELL_FREE) {
			found(check, "queue: the list of free cells is wrong at cell %u", at);
			break;
		}
	}
	expect(check, "queue", "waiting, by the list", listed, waiting);
	expect(check, "queue", "length", farm->queue_length, waiting);
	expect(check, "granted", "cells on the list", granted_listed, granted);
	expect(check, "granted", "length", farm->granted, granted);
	expect(check, "queue", "free cells, by the list", free_listed, n_free);
	return 0;
}

/* What is typical can be derived from nothing: a row that cannot be true begins anew. */
static int check_speed(struct check *check)
{
	for (uint32_t i = 0; i < SPEED_ROWS; i++) {
		int r = learn_check(check->s->store, i, check->repair);

		if (r < 0)
			return r;
		if (r == 1)
			found(check, "speed: row %u cannot be true", i);
	}
	return 0;
}

/* What is given out next has not been given out before. */
static void check_next(struct check *check)
{
	if (check->farm.next_id <= check->last_id) {
		found(check, "farm: the next node would be %u, and there is a node %u", check->farm.next_id, check->last_id);
		check->farm.next_id = check->last_id + 1;
	}
	if (check->farm.next_ticket <= check->last_ticket) {
		found(check, "farm: the next ticket would be %llu, and there is a ticket %llu",
		      (unsigned long long)check->farm.next_ticket, (unsigned long long)check->last_ticket);
		check->farm.next_ticket = check->last_ticket + 1;
	}
}

static int check_lost(struct check *check)
{
	uint32_t lost;
	int r = lost_count(check->s->store, &lost);

	if (r == -EUCLEAN) {
		found(check, "lost: the record is of a wrong size, or names what is no process");
		check->unknown = true;
		return 0;
	}
	if (r == 0) {
		expect(check, "lost", "processes", check->farm.lost, lost);
		check->unknown = check->farm.lost != lost;
	}
	return r;
}

static int check_all(struct check *check)
{
	int r = check_lost(check);

	for (uint32_t i = 0; r == 0 && i < check->farm.n_nodes; i++)
		r = check_node(check, i);
	if (r == 0)
		r = check_index(check);
	if (r == 0)
		r = check_queue(check);
	if (r == 0)
		r = check_speed(check);
	check_next(check);
	return r;
}

/* ---- repair: in a transaction ---- */

/* One that cannot be is lost, and one that is no longer lost is free. */
static int repair_slots(struct check *check, uint32_t node, uint32_t pages)
{
	int r = 0;

	for (uint32_t number = 0; r == 0 && number < pages * SLOTS_PER_PAGE; number++) {
		struct slot *slot;

		r = slot_get_any(check->s->store, node, number, &slot);
		if (r == 0)
			r = judge_slot(check, node, number, slot);
		if (r == IS_INSANE) {
			slot_lose(slot);
			check->lost_slots = true;
			store_touch(check->s->store, slot, sizeof(*slot));
		} else if (r == IS_NO_LONGER_LOST) {
			(void)memset(slot, 0, sizeof(*slot));
			slot->cell = slot->next_free = NONE;
			store_touch(check->s->store, slot, sizeof(*slot));
		}
		if (r >= 0)
			r = number % SLOTS_PER_PAGE == SLOTS_PER_PAGE - 1 ? store_flush(check->s->store) : 0;
	}
	return r;
}

static int repair_node(struct check *check, uint32_t position)
{
	struct index_entry *entry = &check->entries[position];
	struct node_record record;
	int r;

	r = store_read(check->s->store, STORE_NODE, entry->id, 0, &record, sizeof(record));
	if (r == 0)
		r = repair_slots(check, entry->id, record.slot_pages);
	if (r == 0)
		r = slot_resize(check->s->store, entry->id, record.slot_pages, entry->cores,
				&entry->free_slot, &record.slot_pages);
	if (r < 0)
		return r;
	record.position = position;
	if (entry->flags & ENTRY_UP)
		entry->key.retry_usec = UINT64_MAX;
	return store_put(check->s->store, STORE_NODE, entry->id, 0, &record, sizeof(record));
}

struct order {
	uint64_t number;
	uint32_t cell;
};

static int compare_orders(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int write_cell(struct check *check, uint32_t number, const struct cell *cell)
{
	struct cell *place;
	int r = queue_get(check->s->store, &check->farm, number, &place);

	if (r < 0)
		return r;
	*place = *cell;
	store_touch(check->s->store, place, sizeof(*place));
	return store_flush(check->s->store);
}

/* Makes a list of these cells, in the order of their numbers. */
static int write_list(struct check *check, struct order *orders, uint32_t n, enum cell_state state,
		      uint32_t *head, uint32_t *tail)
{
	struct cell cell;
	int r = 0;

	*head = *tail = NONE;
	qsort(orders, n, sizeof(*orders), compare_orders);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = queue_read(check->s->store, &check->farm, orders[i].cell, &cell);
		if (r < 0)
			break;
		cell.state = state;
		if (state == CELL_WAITING)
			cell.node = cell.slot = NONE;
		cell.prev = i > 0 ? orders[i - 1].cell : NONE;
		cell.next = i + 1 < n ? orders[i + 1].cell : NONE;
		r = write_cell(check, orders[i].cell, &cell);
	}
	if (n > 0) {
		*head = orders[0].cell;
		*tail = orders[n - 1].cell;
	}
	return r;
}

/* Which cells have the number of another: one of them is false, and each owner knows his own. */
static int find_twice(struct check *check, struct order *orders, uint8_t *twice)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < check->farm.cells; i++) {
		struct cell cell;
		int r = queue_read(check->s->store, &check->farm, i, &cell);

		if (r < 0)
			return r;
		if (cell_is_sane(&cell) && cell.number != 0)
			orders[n++] = (struct order){ cell.number, i };
	}
	qsort(orders, n, sizeof(*orders), compare_orders);
	for (uint32_t i = 1; i < n; i++)
		if (orders[i - 1].number == orders[i].number)
			twice[orders[i - 1].cell] = twice[orders[i].cell] = 1;
	return 0;
}

/* Who waits, by their numbers; a ticket that believes in a slot it has not waits again. */
static int repair_queue(struct check *check)
{
	struct farm *farm = &check->farm;
	struct order *orders = reallocarray(NULL, farm->cells + 1u, sizeof(*orders));
	uint32_t n_waiting = 0, n_granted = 0; /* the granted ones from the end */
	uint8_t *twice = calloc(farm->cells + 1u, 1);
	struct cell cell;
	int r;

	if (!orders || !twice) {
		free(orders);
		free(twice);
		return -ENOMEM;
	}
	r = find_twice(check, orders, twice);
	farm->free_cell = NONE;
	for (uint32_t i = farm->cells; r == 0 && i-- > 0;) {
		r = queue_read(check->s->store, farm, i, &cell);
		if (r < 0)
			break;
		if (!cell_is_sane(&cell) || (cell.state == CELL_WAITING && twice[i])) {
			cell_empty(&cell);
			check->lost_cells = true;
		}
		if (cell.state == CELL_GRANTED && check->granted[i]) {
			orders[farm->cells - ++n_granted] = (struct order){ cell.number, i };
			continue;
		}
		if (cell.state == CELL_WAITING || cell.state == CELL_GRANTED) {
			orders[n_waiting++] = (struct order){ cell.number, i };
			continue;
		}
		cell_empty(&cell);
		cell.next = farm->free_cell;
		farm->free_cell = i;
		r = write_cell(check, i, &cell);
	}
	if (r == 0)
		r = write_list(check, orders, n_waiting, CELL_WAITING, &farm->queue_head, &farm->queue_tail);
	if (r == 0)
		r = write_list(check, orders + farm->cells - n_granted, n_granted, CELL_GRANTED,
			       &farm->granted_head, &farm->granted_tail);
	farm->queue_length = n_waiting;
	farm->granted = n_granted;
	free(orders);
	free(twice);
	return r;
}

/* Names those who may hold what was lost. */
static int repair_lost(struct check *check, const struct stat *file)
{
	struct holder *witnesses = NULL;
	struct stat own;
	size_t n = 0;
	int r = 0;

	if (!check->lost_slots && !check->unknown)
		return 0;
	if (!file) {
		r = store_stat(check->s->store, &own);
		file = &own;
	}
	if (r == 0)
		r = users_find(file, false, &witnesses, &n);
	if (r == 0)
		r = lost_begin(check->s->store, &check->farm, witnesses, n);
	free(witnesses);
	return r;
}

static int repair_all(struct check *check, const struct stat *file)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < check->farm.n_nodes; i++)
		r = repair_node(check, i);
	if (r == 0)
		r = repair_queue(check);
	if (r == 0)
		r = repair_lost(check, file);
	if (r == 0)
		r = index_build(check->s->store, &check->farm, check->entries, check->farm.n_nodes);
	if (r == 0)
		r = store_put(check->s->store, STORE_FARM, 0, 0, &check->farm, sizeof(check->farm));
	return r;
}

static int compare_ids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Each node has one position. 0, -EUCLEAN, or -ENOMEM. */
static int check_ids(struct check *check)
{
	uint32_t n = check->farm.n_nodes, *ids = reallocarray(NULL, n + 1u, sizeof(*ids));
	int r = 0;

	if (!ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		ids[i] = check->entries[i].id;
	qsort(ids, n, sizeof(*ids), compare_ids);
	for (uint32_t i = 1; r == 0 && i < n; i++)
		if (ids[i - 1] == ids[i]) {
			found(check, "index: node %u stands at two positions", ids[i]);
			r = -EUCLEAN;
		}
	free(ids);
	return r;
}

static int prepare(struct check *check)
{
	int r = store_read(check->s->store, STORE_FARM, 0, 0, &check->farm, sizeof(check->farm));

	if (r < 0)
		return r;
	if (check->farm.n_nodes > NODES_MAX || check->farm.cells > QUEUE_CELLS_MAX || check->farm.cells % CELLS_PER_PAGE)
		return -EUCLEAN;
	check->entries = reallocarray(NULL, check->farm.n_nodes + 1u, sizeof(*check->entries));
	check->granted = calloc(check->farm.cells + 1u, 1);
	if (!check->entries || !check->granted)
		return -ENOMEM;
	for (uint32_t i = 0; i < check->farm.n_nodes; i++) {
		struct index_entry *entry;

		r = index_get(check->s->store, &check->farm, i, &entry);
		if (r < 0)
			return r;
		check->entries[i] = *entry;
		r = store_flush(check->s->store);
		if (r < 0)
			return r;
	}
	return check_ids(check);
}

/* One look at everything, and one repair. 0, *ret_findings; or -errno. */
static int pass(struct check *check, const struct stat *file)
{
	bool is_false;
	int r;

	/* A transaction keeps everybody else out as a section does, and can repair. */
	r = store_begin_mending(check->s->store, &is_false);
	if (r < 0)
		return r;
	if (is_false)
		found(check, "intent: a change is left over that cannot be made");
	r = store_check(check->s->store);
	if (r < 0)
		found(check, "the file itself is damaged");
	if (r == 0)
		r = prepare(check);
	if (r == 0)
		r = check_all(check);
	if (r == 0 && check->repair && is_false)
		r = store_forget(check->s->store);
	if (r == 0 && check->repair && check->findings > 0)
		r = repair_all(check, file);
	if (r == 0 && check->repair && check->findings > 0)
		r = store_end(check->s->store);
	else
		store_cancel(check->s->store);
	free(check->entries);
	free(check->granted);
	check->entries = NULL;
	check->granted = NULL;
	return r;
}

int fsck_run(struct score *s, const struct stat *file, bool repair, void (*tell)(const char *finding, void *arg),
	     void *arg, unsigned *ret_findings)
{
	struct check check;
	bool lost = false;
	struct farm *farm;
	unsigned passes = 0;
	struct stat own;
	int r;

	*ret_findings = 0;
	do {
		check = (struct check){ .s = s, .repair = repair, .tell = passes == 0 ? tell : NULL, .arg = arg };
		r = pass(&check, file);
		lost |= check.lost_slots || check.lost_cells || check.unknown;
		if (passes == 0)
			*ret_findings = check.findings;
	} while (r == 0 && repair && check.findings > 0 && ++passes < PASSES_MAX);
	if (r == 0 && repair && check.findings > 0)
		r = -EUCLEAN;
	if (r < 0 || !repair || *ret_findings == 0)
		return r;
	r = farm_enter_untold(s, &farm);
	if (r < 0)
		return r;
	r = claim_dispatch(s, farm, POLICY_FASTEST);
	farm_leave(s);
	/* Each looks, and says what he holds or that he waits. */
	if (r == 0 && lost && !s->is_draft && store_stat(s->store, &own) == 0) {
		struct holder *witnesses;
		size_t n;

		if (users_find(&own, true, &witnesses, &n) == 0)
			free(witnesses);
	}
	return r;
}
