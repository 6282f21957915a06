/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "difference.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/grow.h"
#include "system/printable.h"
#include "web/json.h"

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

/* ---- telling ---- */

/* Calls fn for each field in which two nodes differ, with both values as text. Both texts may be empty: not set. */
static void each_change(const struct node_config *before, const struct node_config *after,
			void (*fn)(const struct field *field, const char *before, const char *after, bool first))
{
	bool first = true;

	for (size_t i = 0; i < n_node_fields; i++) {
		char x[FIELD_TEXT_MAX], y[FIELD_TEXT_MAX];

		field_format(&node_fields[i], before, x);
		field_format(&node_fields[i], after, y);
		if (strcmp(x, y) == 0)
			continue;
		fn(&node_fields[i], x, y, first);
		first = false;
	}
}

static void tell_field(const struct field *field, const char *before, const char *after, bool first)
{
	print(stdout, "%s %s %s -> %s", first ? "" : ",", field->name, *before ? before : "not set", *after ? after : "not set");
}

static void write_field(const struct field *field, const char *before, const char *after, bool first)
{
	print(stdout, "%s{\"field\":\"%s\",\"before\":", first ? "" : ",", field->name);
	json_string(stdout, *before ? before : NULL);
	print(stdout, ",\"after\":");
	json_string(stdout, *after ? after : NULL);
	(void)putchar('}');
}

enum change { ADDED, ADDED_AGAIN, CHANGED, DRAINING };

/* What is told of a difference: before is the node of the farm, NULL for ADDED; after is the node as it would be. */
static void tell(enum change change, const struct score_node *before, const struct node_config *after)
{
	switch (change) {
	case ADDED:
		print(stdout, "+ %s added, cores %" PRIu32 "\n", after->name, after->cores);
		break;
	case ADDED_AGAIN:
		print(stdout, "+ %s added again, it drains\n", after->name);
		break;
	case CHANGED:
		print(stdout, "~ %s", after->name);
		each_change(&before->config, after, tell_field);
		(void)putchar('\n');
		break;
	case DRAINING:
		print(stdout, "- %s draining, %" PRIu32 " connection%s go%s on\n", before->config.name, before->busy,
		      before->busy == 1 ? "" : "s", before->busy == 1 ? "es" : "");
		break;
	}
}

/* The same as an object of a list in JSON. */
static void write_object(enum change change, const struct score_node *before, const struct node_config *after, bool first)
{
	static const char *const words[] = {
		[ADDED] = "added", [ADDED_AGAIN] = "added", [CHANGED] = "changed", [DRAINING] = "draining",
	};

	print(stdout, "%s\n", first ? "" : ",");
	print(stdout, "   {\"change\":\"%s\",\"node\":", words[change]);
	json_string(stdout, after->name);
	print(stdout, ",\"cores\":%" PRIu32 ",\"busy\":%" PRIu32 ",\"fields\":[", after->cores,
		     before ? before->busy : 0);
	if (before)
		each_change(&before->config, after, write_field);
	print(stdout, "]}");
}

static void note(const struct context *context, struct difference *difference, enum change change,
		 const struct score_node *before, const struct node_config *after)
{
	bool first = difference->added + difference->changed + difference->draining == 0;

	if (context->json)
		write_object(change, before, after, first);
	else
		tell(change, before, after);
	*(change == ADDED ? &difference->added : change == DRAINING ? &difference->draining : &difference->changed) += 1;
}

/* ---- comparing ---- */

int difference_tell(const struct context *context, struct score *score, const struct nodelist *list,
		    struct difference *ret)
{
	struct farm_nodes farm = { .n = 0 };
	int r = score_each_node(score, collect, &farm);

	*ret = (struct difference){ 0 };
	if (r == 0 && context->json)
		print(stdout, "{\"diff\":[");
	if (r == 0 && farm.n > 0)
		qsort(farm.nodes, farm.n, sizeof(*farm.nodes), compare_nodes);
	for (size_t i = 0; r == 0 && i < list->n_nodes; i++) {
		const struct node_config *config = &list->nodes[i];
		struct known *known = farm.n == 0 ? NULL :
			bsearch(config->name, farm.nodes, farm.n, sizeof(*farm.nodes), compare_name);

		if (known)
			known->is_listed = true;
		if (!known)
			note(context, ret, ADDED, NULL, config);
		else if (known->node.state == NODE_DRAINING)
			note(context, ret, ADDED_AGAIN, &known->node, config);
		else if (!node_config_equal(&known->node.config, config))
			note(context, ret, CHANGED, &known->node, config);
		else
			ret->kept++;
	}
	for (size_t i = 0; r == 0 && i < farm.n; i++) {
		const struct score_node *node = &farm.nodes[i].node;

		if (farm.nodes[i].is_listed || node->state == NODE_DRAINING)
			continue;
		note(context, ret, DRAINING, node, &node->config);
	}
	if (r == 0 && context->json)
		print(stdout, ret->added + ret->changed + ret->draining > 0 ? "\n]}\n" : "]}\n");
	free(farm.nodes);
	return r < 0 ? complain_score(context, r) : STATUS_OK;
}
