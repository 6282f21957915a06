/* SPDX-License-Identifier: GPL-3.0-or-later */

/* farm.c: what the gateway looks at is copied out of the scoreboard. */

#include "farm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "system/grow.h"
#include "system/timespan.h"

struct name {
	char text[NODE_NAME_MAX + 1];
};

struct farm_view {
	struct score *score;
	struct gateway_node *nodes;
	struct name *names;
	size_t n, room, names_room;
};

_Static_assert(SHARE_NONE == UINT32_MAX, "as gateway.h has it");

static int add_node(const struct score_node *node, void *arg)
{
	struct farm_view *view = arg;

	if (GROW(view->nodes, view->n, view->room) < 0 || GROW(view->names, view->n, view->names_room) < 0)
		return -ENOMEM;
	(void)memcpy(view->names[view->n].text, node->config.name, sizeof(view->names[view->n].text));
	view->nodes[view->n] = (struct gateway_node){
		.id = node->id,
		.cores = node->config.cores,
		.share = node->share,
		.busy = node->busy,
		.ended = node->served + node->failed,
		.spare = node->config.backup,
		.usable = node->state == NODE_UP,
		.held = node->state == NODE_HELD,
		.leaving = node->state == NODE_DRAINING,
	};
	view->n++;
	return 0;
}

/* No connection goes to a backup while a node that is none can be used. Beforehand spare says which nodes are backups. */
static void set_spare(struct farm_view *view)
{
	bool primary_up = false;

	for (size_t i = 0; i < view->n; i++)
		primary_up |= view->nodes[i].usable && !view->nodes[i].spare;
	for (size_t i = 0; i < view->n; i++) {
		view->nodes[i].spare &= primary_up;
		view->nodes[i].usable &= !view->nodes[i].spare;
	}
}

static bool has_usable(const struct farm_view *view)
{
	for (size_t i = 0; i < view->n; i++)
		if (view->nodes[i].usable)
			return true;
	return false;
}

/* The waiters for which one more core would do something. A farm that is paused or has no usable node serves no waiter; where
 * slots are free, the waiters may not have them, as where a client has reached a limit; kept slots are for so many of them. */
static uint64_t count_lacking(const struct farm_view *view, const struct score_totals *totals)
{
	if (totals->paused || totals->free > 0 || totals->waiting <= totals->kept || !has_usable(view))
		return 0;
	return totals->waiting - totals->kept;
}

static int look(void *context, struct gateway_look *ret)
{
	struct farm_view *view = context;
	struct score_totals totals;
	uint64_t now_usec;
	int r;

	view->n = 0;
	r = score_each_node(view->score, add_node, view);
	if (r == 0)
		r = score_totals(view->score, &totals);
	if (r < 0)
		return r;
	for (size_t i = 0; i < view->n; i++)
		view->nodes[i].name = view->names[i].text; /* the array may have moved before */
	set_spare(view);
	now_usec = now_realtime();
	*ret = (struct gateway_look){
		.nodes = view->nodes,
		.n_nodes = view->n,
		.waiting = count_lacking(view, &totals),
		.lease_usec = totals.lease_usec,
	};
	if (ret->waiting > 0 && totals.oldest_since_usec < now_usec)
		ret->age_usec = now_usec - totals.oldest_since_usec;
	return 0;
}

static int set_share(void *context, uint32_t id, uint32_t share, uint32_t *ret_busy)
{
	struct farm_view *view = context;

	return score_set_share(view->score, id, share, ret_busy);
}

static int set_lease(void *context, uint64_t until_usec)
{
	struct farm_view *view = context;

	return score_set_lease(view->score, until_usec);
}

int farm_view_new(struct score *score, struct farm_view **ret, struct gateway_farm *ret_farm)
{
	struct farm_view *view = calloc(1, sizeof(*view));

	if (!view)
		return -ENOMEM;
	view->score = score;
	*ret_farm = (struct gateway_farm){ view, look, set_share, set_lease };
	*ret = view;
	return 0;
}

void farm_view_free(struct farm_view *view)
{
	if (!view)
		return;
	free(view->nodes);
	free(view->names);
	free(view);
}
