/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "difference.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/grow.h"
#include "system/printable.h"

struct known {
	struct score_node node;
	bool is_listed;
};

struct farm_nodes {
	struct known *nodes;
	size_t n, room;
};

static int collect(const struct score_node *node, void *arg)
{
	struct farm_nodes *farm = arg;
	int r = GROW(farm->nodes, farm->n, farm->room);

	if (r == 0)
		farm->nodes[farm->n++] = (struct known){ .node = *node };
	return r;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return strcmp(x->node.config.name, y->node.config.name);
}

static int compare_name(const void *name, const void *node)
{
	const struct known *known = node;

	return strcmp(name, known->node.config.name);
}

static void tell_change(const struct node_config *before, const struct node_config *after)
{
	bool any = false;

	print(stdout, "~ %s", after->name);
	for (size_t i = 0; i < n_node_fields; i++) {
		char x[FIELD_TEXT_MAX], y[FIELD_TEXT_MAX];

		field_format(&node_fields[i], before, x);
		field_format(&node_fields[i], after, y);
		if (strcmp(x, y) == 0)
			continue;
		print(stdout, "%s %s %s -> %s", any ? "," : "", node_fields[i].name, *x ? x : "not set", *y ? y : "not set");
		any = true;
	}
	(void)putchar('\n');
}

int difference_tell(const struct context *context, struct score *score, const struct nodelist *list,
		    struct difference *ret)
{
	struct farm_nodes farm = { .n = 0 };
	int r = score_each_node(score, collect, &farm);

	*ret = (struct difference){ 0 };
	if (r == 0 && farm.n > 0)
		qsort(farm.nodes, farm.n, sizeof(*farm.nodes), compare_nodes);
	for (size_t i = 0; r == 0 && i < list->n_nodes; i++) {
		const struct node_config *config = &list->nodes[i];
		struct known *known = farm.n == 0 ? NULL :
			bsearch(config->name, farm.nodes, farm.n, sizeof(*farm.nodes), compare_name);

		if (known)
			known->is_listed = true;
		if (!known) {
			print(stdout, "+ %s added, cores %" PRIu32 "\n", config->name, config->cores);
			ret->added++;
		} else if (known->node.state == NODE_DRAINING) {
			print(stdout, "+ %s added again, it drains\n", config->name);
			ret->changed++;
		} else if (!node_config_equal(&known->node.config, config)) {
			tell_change(&known->node.config, config);
			ret->changed++;
		} else {
			ret->kept++;
		}
	}
	for (size_t i = 0; r == 0 && i < farm.n; i++) {
		const struct score_node *node = &farm.nodes[i].node;

		if (farm.nodes[i].is_listed || node->state == NODE_DRAINING)
			continue;
		print(stdout, "- %s draining, %" PRIu32 " connection%s go%s on\n", node->config.name, node->busy,
			     node->busy == 1 ? "" : "s", node->busy == 1 ? "es" : "");
		ret->draining++;
	}
	free(farm.nodes);
	return r < 0 ? complain_score(context, r) : STATUS_OK;
}
