/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "list/reason.h"
#include "system/grow.h"
#include "system/printable.h"
#include "system/timespan.h"

struct filling {
	struct snapshot *snapshot;
	size_t room;
};

static char *copy_why(const struct score_node *node)
{
	const char *phrase = reason_to_string(node->reason);
	char *why;

	if (asprintf(&why, "%s%s%s", phrase, *phrase && *node->detail ? ": " : "", node->detail) < 0)
		return NULL;
	printable(why, '?');
	return why;
}

/* A copy of a name, fit to be shown. NULL: no memory. */
static char *copy_name(const char *name)
{
	char *copy = strdup(name);

	if (copy)
		printable(copy, '?');
	return copy;
}

static int add_node(const struct score_node *node, void *arg)
{
	struct filling *filling = arg;
	struct snapshot *snapshot = filling->snapshot;
	struct snapshot_node *to;

	if (GROW(snapshot->nodes, snapshot->n_nodes, filling->room) < 0)
		return -ENOMEM;
	to = &snapshot->nodes[snapshot->n_nodes++];
	*to = (struct snapshot_node){
		.name = copy_name(node->config.name),
		.why = copy_why(node),
		.cores = node->config.cores,
		.limit = node->limit,
		.share = node->share,
		.busy = node->busy,
		.free = node->free,
		.state = node->state,
		.backup = node->config.backup,
		.pinned = node->learning.pinned,
		.speed = node->speed,
		.since_usec = node->since_usec,
		.served = node->served,
		.failed = node->failed,
		.bytes_in = node->bytes_in,
		.bytes_out = node->bytes_out,
	};
	return to->name && to->why ? 0 : -ENOMEM;
}

int snapshot_take(struct score *score, const char *farm, struct snapshot *ret)
{
	struct filling filling = { .snapshot = ret };
	int r;

	*ret = (struct snapshot){ .farm = copy_name(farm), .taken_usec = now_realtime() };
	r = ret->farm ? score_totals(score, &ret->totals) : -ENOMEM;
	if (r == 0)
		r = score_history(score, &ret->history);
	if (r == 0)
		r = score_each_node(score, add_node, &filling);
	ret->verbosity = score_verbosity(score);
	if (r < 0)
		snapshot_clear(ret);
	return r;
}

void snapshot_clear(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->n_nodes; i++) {
		free(snapshot->nodes[i].name);
		free(snapshot->nodes[i].why);
	}
	free(snapshot->nodes);
	free(snapshot->farm);
	*snapshot = (struct snapshot){ 0 };
}

size_t snapshot_count(const struct snapshot *snapshot, enum node_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < snapshot->n_nodes; i++)
		n += snapshot->nodes[i].state == state;
	return n;
}
