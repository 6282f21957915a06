/* SPDX-License-Identifier: GPL-3.0-or-later */

/* view.c: names of clients are made printable once, when they are copied. */

#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/printable.h"
#include "system/timespan.h"

static int add_waiter(const struct score_ticket_info *ticket, void *arg)
{
	struct view *view = arg;
	struct waiter *waiter = &view->queue[view->n_queue];

	if (view->n_queue == QUEUE_SHOWN)
		return 1;
	(void)snprintf(waiter->client, sizeof(waiter->client), "%s", ticket->client);
	waiter->since_usec = ticket->since_usec;
	view->n_queue++;
	return 0;
}

static int compare_shown(const void *a, const void *b, void *arg)
{
	const struct view *view = arg;
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const struct snapshot_node *m, *n;
	int r = 0;

	if (view->connections) {
		uint64_t s = view->slots.slots[x].since_usec, t = view->slots.slots[y].since_usec;

		return s != t ? (s > t) - (s < t) : (x > y) - (x < y);
	}
	m = &view->snapshot.nodes[x];
	n = &view->snapshot.nodes[y];
	switch (view->sort) {
	case SORT_BUSY:
		r = (m->busy < n->busy) - (m->busy > n->busy);
		break;
	case SORT_SPEED:
		r = (m->speed < n->speed) - (m->speed > n->speed);
		break;
	case SORT_STATE:
		r = (n->state > m->state) - (n->state < m->state);
		break;
	case SORT_NAME:
		r = strcmp(m->name, n->name);
		break;
	default:
		break;
	}
	return r ? r : (x > y) - (x < y);
}

static bool is_shown(const struct view *view, size_t i)
{
	const struct held_slot *slot;

	if (!view->connections)
		return !*view->filter || strcasestr(view->snapshot.nodes[i].name, view->filter) ||
		       strcasestr(node_state_to_string(view->snapshot.nodes[i].state), view->filter);
	slot = &view->slots.slots[i];
	return (!*view->node || strcmp(view->node, slot->node) == 0) &&
	       (!*view->filter || strcasestr(slot->client, view->filter) || strcasestr(slot->node, view->filter));
}

int view_arrange(struct view *view)
{
	size_t n = view->connections ? view->slots.n : view->snapshot.n_nodes;
	size_t *shown = reallocarray(view->shown, n + 1, sizeof(*shown));

	if (!shown)
		return -ENOMEM;
	view->shown = shown;
	view->n_shown = 0;
	for (size_t i = 0; i < n; i++)
		if (is_shown(view, i))
			view->shown[view->n_shown++] = i;
	qsort_r(view->shown, view->n_shown, sizeof(*view->shown), compare_shown, view);
	if (view->cursor >= view->n_shown)
		view->cursor = view->n_shown > 0 ? view->n_shown - 1 : 0;
	return 0;
}

static void clean(struct view *view)
{
	for (size_t i = 0; i < view->slots.n; i++)
		printable(view->slots.slots[i].client, '?');
	for (size_t i = 0; i < view->n_queue; i++)
		printable(view->queue[i].client, '?');
}

int view_copy(struct view *view)
{
	uint64_t now_usec;
	int r;

	snapshot_clear(&view->snapshot);
	free(view->slots.slots);
	view->slots = (struct held_slots){ 0 };
	view->n_queue = 0;
	r = snapshot_take(view->score, view->context->farm_shown, &view->snapshot) ?:
	    held_slots_find(view->score, NULL, NULL, &view->slots) ?:
	    score_each_ticket(view->score, add_waiter, view);
	if (r < 0)
		return r;
	clean(view);
	now_usec = now_monotonic();
	if (view->taken_usec && now_usec > view->taken_usec)
		view->rate = (double)(view->snapshot.history.served - view->served) * (double)USEC_PER_SEC /
			    (double)(now_usec - view->taken_usec);
	view->served = view->snapshot.history.served;
	view->taken_usec = now_usec;
	return view_arrange(view);
}

void view_clear(struct view *view)
{
	snapshot_clear(&view->snapshot);
	free(view->slots.slots);
	free(view->shown);
}
