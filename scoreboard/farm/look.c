/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * look.c: for those who only look. Each walk copies what it shows under the
 * lock, and calls back after it has given the lock up.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "claim.h"
#include "attempt.h"
#include "records/history.h"
#include "store/store.h"

/* Everything of the node at a position. */
static int describe(struct score *s, const struct farm *farm, uint32_t position, struct score_node *ret)
{
	struct node_record record;
	struct index_entry *entry;
	int r;

	r = index_get(s->store, farm, position, &entry);
	if (r == 0)
		r = store_read(s->store, STORE_NODE, entry->id, 0, &record, sizeof(record));
	if (r < 0)
		return r;
	r = node_check(&record);
	if (r < 0)
		return r;
	node_describe(&record, entry, ret);
	return 0;
}

/* All nodes, in memory that is the caller's to free, also after an error. 0 or -errno. */
static int describe_all(struct score *s, const struct farm *farm, struct score_node **ret)
{
	uint32_t n = farm->n_nodes;
	int r = 0;

	*ret = n > NODES_MAX ? NULL : reallocarray(NULL, n + 1u, sizeof(**ret));
	if (!*ret)
		return n > NODES_MAX ? -EUCLEAN : -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = describe(s, farm, i, &(*ret)[i]);
		store_trim(s->store);
	}
	return r;
}

int attempt_each_node(struct score *s, int (*fn)(const struct score_node *node, void *arg), void *arg)
{
	struct score_node *nodes;
	struct farm *farm;
	uint32_t n;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	n = farm->n_nodes;
	r = describe_all(s, farm, &nodes);
	farm_leave(s);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = fn(&nodes[i], arg);
	free(nodes);
	return r;
}

/* What a connection would get. */
static int preview(struct score *s, struct farm *farm, enum score_policy policy, struct score_choice *ret)
{
	uint32_t position;
	int r;

	*ret = (struct score_choice){
		.waiting = farm->queue_length, .paused = farm->paused, .primary_up = farm->primaries_up > 0,
	};
	r = claim_preview(s, farm, policy, &position);
	if (r == 0) {
		struct index_entry *entry;

		r = index_get(s->store, farm, position, &entry);
		ret->node = r == 0 ? entry->id : 0;
	}
	return r < 0 ? r : 0;
}

int attempt_explain(struct score *s, enum score_policy policy, struct score_choice *ret,
		  int (*fn)(const struct score_node *node, void *arg), void *arg)
{
	struct score_node *nodes = NULL;
	struct farm *farm;
	uint32_t n;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	n = farm->n_nodes;
	r = claim_open_due(s, farm);
	if (r == 0 && farm->queue_head != NONE)
		r = claim_dispatch(s, farm, policy);
	if (r == 0)
		r = describe_all(s, farm, &nodes);
	if (r == 0)
		r = preview(s, farm, policy, ret); /* last: it leaves copies that must not be committed */
	farm_leave(s);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = fn(&nodes[i], arg);
	free(nodes);
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

static int see_slots(struct score *s, const struct index_entry *entry, struct seen_slots *seen)
{
	uint32_t busy = entry->busy;
	struct node_record record;
	struct slot_page page;
	int r;

	r = store_read(s->store, STORE_NODE, entry->id, 0, &record, sizeof(record));
	for (uint32_t number = 0; r == 0 && busy > 0; number++) {
		const struct slot *slot = &page.slots[number % SLOTS_PER_PAGE];
		struct seen_slot *item;

		if (number % SLOTS_PER_PAGE == 0) {
			r = store_read(s->store, STORE_SLOTS, entry->id, number / SLOTS_PER_PAGE, &page, sizeof(page));
			if (r < 0)
				break;
		}
		if (slot->state == SLOT_FREE)
			continue;
		if (seen->n == seen->room) {
			size_t room = seen->room ? seen->room * 2 : 64;

			item = reallocarray(seen->items, room, sizeof(*item));
			if (!item)
				return -ENOMEM;
			seen->items = item;
			seen->room = room;
		}
		item = &seen->items[seen->n++];
		(void)memcpy(item->node, record.config.name, sizeof(item->node));
		item->node[sizeof(item->node) - 1] = '\0';
		item->slot = *slot;
		item->slot.client[SCORE_CLIENT_MAX] = '\0';
		item->number = number;
		busy--;
	}
	return r;
}

int attempt_each_slot(struct score *s, int (*fn)(const struct score_slot_info *slot, void *arg), void *arg)
{
	struct seen_slots seen = { 0 };
	struct farm *farm;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	for (uint32_t i = 0; r == 0 && i < farm->n_nodes; i++) {
		struct index_entry *entry;

		r = index_get(s->store, farm, i, &entry);
		if (r == 0 && entry->busy > 0)
			r = see_slots(s, entry, &seen);
		store_trim(s->store);
	}
	farm_leave(s);
	for (size_t i = 0; r == 0 && i < seen.n; i++) {
		const struct seen_slot *item = &seen.items[i];
		struct score_slot_info info = {
			.node = item->node, .slot = item->number, .pid = (pid_t)item->slot.holder.pid,
			.client = item->slot.client, .since_usec = item->slot.since_usec,
			.in = item->slot.in, .out = item->slot.out, .taken = item->slot.state == SLOT_BUSY,
		};

		r = fn(&info, arg);
	}
	free(seen.items);
	return r;
}

int attempt_each_ticket(struct score *s, int (*fn)(const struct score_ticket_info *ticket, void *arg), void *arg)
{
	struct cell *cells = NULL;
	struct farm *farm;
	uint32_t n = 0, length, at;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	length = farm->queue_length;
	if (length > farm->cells)
		r = -EUCLEAN;
	if (r == 0) {
		cells = reallocarray(NULL, length + 1u, sizeof(*cells));
		r = cells ? 0 : -ENOMEM;
	}
	for (at = farm->queue_head; r == 0 && at != NONE; at = cells[n++].next)
		r = n >= length ? -EUCLEAN : queue_read(s->store, farm, at, &cells[n]);
	farm_leave(s);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct score_ticket_info info = {
			.number = cells[i].number, .pid = (pid_t)cells[i].owner.pid,
			.client = cells[i].client, .since_usec = cells[i].since_usec,
		};

		r = fn(&info, arg);
	}
	free(cells);
	return r;
}

int attempt_totals(struct score *s, struct score_totals *ret)
{
	struct score_totals totals = { 0 };
	struct farm *farm;
	struct cell cell;
	int r;

	r = farm_enter(s, &farm);
	if (r < 0)
		return r;
	totals.nodes = farm->n_nodes;
	totals.busy = farm->busy;
	totals.nodes_up = farm->nodes_up;
	totals.waiting = farm->queue_length;
	totals.paused = farm->paused;
	for (uint32_t i = 0; r == 0 && i < farm->n_nodes; i++) {
		struct index_entry *entry;

		r = index_get(s->store, farm, i, &entry);
		if (r < 0)
			break;
		totals.slots += entry->flags & ENTRY_DRAINING ? 0 : entry->cores;
		totals.free += index_entry_free(entry);
		store_trim(s->store);
	}
	if (r == 0 && farm->queue_head != NONE) {
		r = queue_read(s->store, farm, farm->queue_head, &cell);
		totals.oldest_since_usec = r == 0 ? cell.since_usec : 0;
	}
	farm_leave(s);
	if (r == 0)
		*ret = totals;
	return r;
}

int attempt_is_down(struct score *s)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = farm->nodes_up == 0;
	farm_leave(s);
	return r;
}

int attempt_history(struct score *s, struct score_history *ret)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	r = history_read(s->store, farm, ret);
	farm_leave(s);
	return r;
}
