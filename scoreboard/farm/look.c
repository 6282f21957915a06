/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * look.c: operations that only show the farm. Each walk (walk.h) copies what it
 * shows, and calls back when it has come to its end, outside of all sections.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"
#include "claim.h"
#include "per_client.h"
#include "policy/policy.h"
#include "records/client.h"
#include "records/history.h"
#include "records/memory.h"
#include "records/party.h"
#include "records/patience.h"
#include "store/store.h"
#include "system/grow.h"
#include "system/sparse.h"
#include "system/timespan.h"
#include "walk.h"

/* A node as it was copied in a section. It is described outside of it: that takes longer, and more memory. */
struct seen_node {
	struct node_record record;
	struct index_entry entry;
};

struct seen_nodes {
	struct sparse copies; /* of struct seen_node */
	size_t n;
};

static int see_node(struct score *s, struct farm *farm, struct index_entry *entry, void *arg)
{
	struct seen_nodes *seen = arg;
	struct seen_node node;
	int r;

	(void)farm;
	(void)memset(&node, 0, sizeof(node));
	node.entry = *entry;
	r = store_read(s->store, STORE_NODE, entry->id, 0, &node.record, sizeof(node.record)) ?:
	    node_check(&node.record) ?:
	    sparse_add(&seen->copies, &node, sizeof(node));
	if (r == 0)
		seen->n++;
	return r;
}

static void forget_nodes(void *arg)
{
	((struct seen_nodes *)arg)->n = ((struct seen_nodes *)arg)->copies.n = 0;
}

int attempt_each_node(struct score *s, int (*fn)(const struct score_node *node, void *arg), void *arg)
{
	struct seen_nodes seen = { .n = 0 };
	int r = walk_nodes(s, see_node, forget_nodes, &seen);
	size_t at = 0;

	for (size_t i = 0; r == 0 && i < seen.n; i++) {
		struct seen_node copy;
		struct score_node node;

		sparse_get(&seen.copies, &at, &copy, sizeof(copy));
		node_describe(&copy.record, &copy.entry, &node);
		r = fn(&node, arg);
	}
	sparse_clear(&seen.copies);
	return r;
}

/* Notes the nodes that come first by the client. 0 or -errno. */
static int note_firsts(struct score *s, struct farm *farm, enum score_policy policy, const char *client,
		       struct score_choice *ret)
{
	const struct policy *what = policy_get(policy);
	uint32_t positions[SCORE_FIRSTS_MAX];
	unsigned n = 0;
	int r = what->firsts ? what->firsts(s->store, farm, client, positions, &n) : 0;

	for (unsigned i = 0; r == 0 && i < n; i++) {
		struct index_entry *entry;

		r = index_get(s->store, farm, positions[i], &entry);
		if (r == 0)
			ret->firsts[ret->n_firsts++] = entry->id;
	}
	return r;
}

/* What a connection would get. */
static int preview(struct score *s, struct farm *farm, enum score_policy policy, const char *client,
		   struct score_choice *ret)
{
	uint32_t position;
	int r;

	*ret = (struct score_choice){
		.waiting = farm->queue_length, .paused = farm->paused, .lapsed = farm_is_lapsed(farm),
		.primary_up = farm->primaries_up > 0, .kept_usec = s->kept_usec,
	};
	r = note_firsts(s, farm, policy, client ?: "", ret) ?: claim_choose(s, farm, policy, client ?: "", &position);
	if (r == 0) {
		struct index_entry *entry;

		r = index_get(s->store, farm, position, &entry);
		ret->node = r == 0 ? entry->id : 0;
	}
	return r < 0 ? r : 0;
}

int attempt_explain(struct score *s, enum score_policy policy, const char *client, struct score_choice *ret,
		  int (*fn)(const struct score_node *node, void *arg), void *arg)
{
	const struct score_arrival arrival = { .policy = policy };
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r == 0 && !claim_is_ready(farm, &arrival)) {
		farm_leave(s);
		r = claim_make_ready(s, &arrival) ?: farm_enter(s, &farm);
	}
	if (r < 0)
		return r;
	r = claim_open_due(s, farm);
	s->kept_usec = 0;
	if (r == 0 && farm->queue_head != NONE)
		r = claim_dispatch(s, farm);
	if (r == 0)
		r = preview(s, farm, policy, client, ret); /* last: it leaves copies that must not be committed */
	if (r == 0 && ret->node && ret->kept_usec == 0) {
		ret->over = ret->waiting; /* any other waiter would have the node */
		ret->waiting = 0;
	}
	farm_leave(s);
	return r < 0 ? r : attempt_each_node(s, fn, arg);
}

struct seen_clients {
	struct score_client_info *items;
	size_t n, room;
	uint32_t clients;      /* farm.clients when the walk began */
};

/* Copies the clients that a page remembers. */
static int see_clients(struct score *s, const struct farm *farm, uint32_t number, struct seen_clients *seen)
{
	uint64_t now_usec = now_boottime();
	struct memory_page page;

	if (store_read(s->store, STORE_CLIENT, number, 0, &page, sizeof(page)) < 0)
		return 0; /* such a page is empty */
	for (uint32_t i = 0; i < MEMORY_CELLS; i++) {
		const struct memory_cell *cell = &page.cells[i];
		struct score_client_info *client;
		struct node_record node;

		if (!memory_is_valid(farm, cell, now_usec))
			continue;
		if (GROW(seen->items, seen->n, seen->room) < 0)
			return -ENOMEM;
		client = &seen->items[seen->n++];
		*client = (struct score_client_info){
			.since_usec = wall_time(cell->since_usec), .used_usec = wall_time(cell->used_usec), .uses = cell->uses,
		};
		(void)memcpy(client->client, cell->address, strnlen(cell->address, MEMORY_ADDRESS_MAX));
		if (store_read(s->store, STORE_NODE, cell->node, 0, &node, sizeof(node)) == 0 && node_check(&node) == 0)
			(void)memcpy(client->node, node.config.name, sizeof(client->node));
	}
	return 0;
}

/* One section of the walk. 0; 1: that was the last; or -errno. If the farm has come to remember more clients, they are in other
 * pages now: the walk begins again. */
static int see_page(struct score *s, uint32_t *number, struct seen_clients *seen)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	if (farm->clients != seen->clients) {
		seen->clients = farm->clients;
		seen->n = 0;
		*number = 0;
	}
	if (*number < memory_pages(farm->clients))
		r = see_clients(s, farm, (*number)++, seen);
	else
		r = 1;
	farm_leave(s);
	return r;
}

int attempt_each_client(struct score *s, int (*fn)(const struct score_client_info *client, void *arg), void *arg)
{
	struct seen_clients seen = { .n = 0 };
	uint32_t number = 0;
	int r;

	do
		r = see_page(s, &number, &seen);
	while (r == 0);
	r = r == 1 ? 0 : r;
	for (size_t i = 0; r == 0 && i < seen.n; i++)
		r = fn(&seen.items[i], arg);
	free(seen.items);
	return r;
}

struct seen_slot {
	char node[NODE_NAME_MAX + 1];
	struct slot slot;
	uint32_t number;
};

struct seen_slots {
	struct seen_slot *items;
	size_t n, room;
};

static int see_slot(struct score *s, struct farm *farm, const struct node_record *record, uint32_t id, uint32_t number,
		    const struct slot *slot, void *arg)
{
	struct seen_slots *seen = arg;
	struct seen_slot *item;

	(void)s;
	(void)farm;
	(void)id;
	if (slot->state == SLOT_FREE)
		return 0;
	if (GROW(seen->items, seen->n, seen->room) < 0)
		return -ENOMEM;
	item = &seen->items[seen->n++];
	(void)memcpy(item->node, record->config.name, sizeof(item->node));
	item->node[sizeof(item->node) - 1] = '\0';
	item->slot = *slot;
	item->slot.client[SCORE_CLIENT_MAX] = '\0';
	item->number = number;
	return 0;
}

int attempt_each_slot(struct score *s, int (*fn)(const struct score_slot_info *slot, void *arg), void *arg)
{
	struct seen_slots seen = { 0 };
	int r = walk_slots(s, see_slot, &seen);

	for (size_t i = 0; r == 0 && i < seen.n; i++) {
		const struct seen_slot *item = &seen.items[i];
		struct score_slot_info info = {
			.node = item->node, .slot = item->number, .pid = (pid_t)item->slot.holder.pid,
			.client = item->slot.client, .since_usec = wall_time(item->slot.since_usec),
			.begun_usec = item->slot.since_usec,
			.in = item->slot.in, .out = item->slot.out, .taken = item->slot.state == SLOT_BUSY,
		};

		r = fn(&info, arg);
	}
	free(seen.items);
	return r;
}

/* A ticket, with what its turn depends on where the farm is fair. */
struct seen_cell {
	struct cell cell;
	char party[SCORE_CLIENT_MAX + 1];
	uint32_t held;         /* by its party */
	uint32_t before;       /* tickets of its party that get slots before it; or, if it is stuck, that are before it */
	uint32_t limit;        /* of slots for its party, or 0 */
	bool stuck;            /* it gets a slot only after another connection of its party has given a slot back */
	uint64_t turn;         /* the party's */
};

struct seen_cells {
	struct seen_cell *items;
	size_t n, room;
	bool fair;
};

static int see_cell(struct score *s, struct farm *farm, uint32_t number, const struct cell *cell, void *arg)
{
	struct seen_cells *seen = arg;
	struct seen_cell *item;
	int r;

	(void)number;
	if (cell->state != CELL_WAITING)
		return 0;
	if (GROW(seen->items, seen->n, seen->room) < 0)
		return -ENOMEM;
	item = &seen->items[seen->n++];
	*item = (struct seen_cell){ .cell = *cell };
	item->cell.client[SCORE_CLIENT_MAX] = '\0';
	r = farm->fair ? party_is_full(s->store, farm, &item->cell) :
			 client_is_full(s, farm, cell->client, cell->per_client, 0, NULL);
	if (r < 1)
		item->cell.per_client = 0;
	seen->fair = farm->fair;
	if (r >= 0 && farm->fair) {
		struct party party;

		client_party(item->cell.client, item->party);
		r = party_get(s->store, farm, item->cell.client, &party);
		item->held = party.held;
		item->limit = client_is_same(item->cell.client, item->cell.client) ? cell->per_client : 0;
		item->turn = party.turn;
	}
	return r < 0 ? r : 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const struct seen_cell *x = a, *y = b;

	return (x->cell.number > y->cell.number) - (x->cell.number < y->cell.number);
}

static int compare_parties(const void *a, const void *b)
{
	const struct seen_cell *x = a, *y = b;
	int order = strcmp(x->party, y->party);

	return order ? order : compare_numbers(a, b);
}

static int compare_turns(const void *a, const void *b)
{
	const struct seen_cell *x = a, *y = b;

	if (x->stuck != y->stuck)
		return x->stuck ? 1 : -1;
	if (x->held + x->before != y->held + y->before)
		return x->held + x->before < y->held + y->before ? -1 : 1;
	/* A party that gets a slot holds so many from then on: it is behind all that hold so many already. */
	if (x->before != y->before)
		return x->before < y->before ? -1 : 1;
	return x->turn != y->turn ? (x->turn > y->turn) - (x->turn < y->turn) : compare_numbers(a, b);
}

/* Says of each ticket how many of its party get slots before it, and whether it is stuck. The tickets are in the order of
 * parties and numbers. */
static void count_before(struct seen_cells *seen)
{
	uint32_t granted = 0, n = 0;

	for (size_t i = 0; i < seen->n; i++, n++) {
		struct seen_cell *item = &seen->items[i];

		if (i == 0 || strcmp(item->party, item[-1].party) != 0)
			granted = n = 0;
		/* What a party holds only grows, so a ticket that is passed by stays behind. */
		item->stuck = item->limit > 0 && item->held + granted >= item->limit;
		item->before = item->stuck ? n : granted++;
	}
}

/* Puts the tickets into the order in which they get slots if no other ticket comes and no slot that is held now is
 * released: by their numbers; in a farm that is fair, each grant lets the next ticket of the same party wait for a party
 * that holds one more, and tickets that get no slot are last. */
static void sort_cells(struct seen_cells *seen)
{
	size_t n = 0;

	if (seen->n == 0)
		return;
	qsort(seen->items, seen->n, sizeof(*seen->items), compare_numbers);
	/* A ticket that was lost and put back during the walk may have been seen in two cells. */
	for (size_t i = 0; i < seen->n; i++)
		if (i == 0 || seen->items[i].cell.number != seen->items[n - 1].cell.number)
			seen->items[n++] = seen->items[i];
	seen->n = n;
	if (!seen->fair)
		return;
	qsort(seen->items, seen->n, sizeof(*seen->items), compare_parties);
	count_before(seen);
	qsort(seen->items, seen->n, sizeof(*seen->items), compare_turns);
}

int attempt_each_ticket(struct score *s, int (*fn)(const struct score_ticket_info *ticket, void *arg), void *arg)
{
	struct seen_cells seen = { .n = 0 };
	int r = walk_cells(s, see_cell, &seen);

	sort_cells(&seen);
	for (size_t i = 0; r == 0 && i < seen.n; i++) {
		const struct cell *cell = &seen.items[i].cell;
		struct score_ticket_info info = {
			.number = cell->number, .pid = (pid_t)cell->owner.pid, .client = cell->client,
			.since_usec = wall_time(cell->since_usec), .per_client = cell->per_client,
		};

		r = fn(&info, arg);
	}
	free(seen.items);
	return r;
}

struct sum {
	uint64_t slots;
	uint64_t free, free_backups; /* without, and of backups */
};

static int add_up(struct score *s, struct farm *farm, struct index_entry *entry, void *arg)
{
	struct sum *sum = arg;

	(void)s;
	(void)farm;
	sum->slots += entry->flags & ENTRY_DRAINING ? 0 : entry->cores;
	*(entry->flags & ENTRY_BACKUP ? &sum->free_backups : &sum->free) += index_entry_free(entry);
	return 0;
}

static void add_up_again(void *arg)
{
	*(struct sum *)arg = (struct sum){ 0 };
}

/* How many of the slots that nodes have free can be given out. */
static uint64_t sum_usable(const struct farm *farm, const struct sum *sum)
{
	if (farm->paused || farm_is_lapsed(farm))
		return 0;
	return sum->free + (farm->primaries_up == 0 ? sum->free_backups : 0);
}

/* Until when slots are kept from waiters; 0: none is. CLOCK_BOOTTIME. */
static uint64_t kept_until(struct score *s, const struct farm *farm)
{
	const struct patience *patience = farm->queue_head != NONE ? patience_get(s->store) : NULL;

	return patience ? patience_until(patience, now_boottime()) : 0;
}

int attempt_totals(struct score *s, struct score_totals *ret)
{
	struct score_totals totals = { 0 };
	struct sum sum = { 0 };
	struct farm *farm;
	struct cell cell;
	int r = walk_nodes(s, add_up, add_up_again, &sum) ?: farm_enter(s, &farm);

	if (r < 0)
		return r;
	totals.slots = sum.slots;
	totals.free = sum_usable(farm, &sum);
	totals.kept_usec = totals.free > 0 ? kept_until(s, farm) : 0;
	if (totals.kept_usec > 0) {
		totals.kept = totals.free;
		totals.free = 0;
	}
	totals.nodes = farm->n_nodes;
	totals.busy = farm->busy;
	totals.nodes_up = farm->nodes_up;
	totals.waiting = farm->queue_length;
	totals.paused = farm->paused;
	totals.lapsed = farm_is_lapsed(farm);
	totals.lease_usec = farm->lease_usec;
	totals.split = farm_split(farm);
	if (farm->queue_head != NONE) {
		r = queue_read(s->store, farm, farm->queue_head, &cell);
		totals.oldest_since_usec = r == 0 ? wall_time(cell.since_usec) : 0;
	}
	farm_leave(s);
	if (r == 0)
		*ret = totals;
	return r;
}

int attempt_is_down(struct score *s)
{
	struct farm *farm;

	return IN_SECTION(s, farm, farm->nodes_up == 0);
}

int attempt_history(struct score *s, struct score_history *ret)
{
	struct farm *farm;

	return IN_SECTION(s, farm, (history_read(s->store, farm, ret), 0));
}
