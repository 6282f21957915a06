/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "difference.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm_nodes.h"
#include "system/printable.h"
#include "web/json.h"

static int compare_nodes(const void *a, const void *b)
{
	const struct score_node *x = a, *y = b;

	return strcmp(x->config.name, y->config.name);
}

static int compare_name(const void *name, const void *node)
{
	const struct score_node *known = node;

	return strcmp(name, known->config.name);
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

/* Tells a difference: before is the node of the farm, NULL for ADDED; after is the node as it would be. */
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

/* Notes what a load would do with a node of the list; known is the node of that name in the farm, or NULL. */
static void compare_config(const struct context *context, const struct score_node *known,
			   const struct node_config *config, struct difference *ret)
{
	if (!known)
		note(context, ret, ADDED, NULL, config);
	else if (known->state == NODE_DRAINING)
		note(context, ret, ADDED_AGAIN, known, config);
	else if (!node_config_equal(&known->config, config))
		note(context, ret, CHANGED, known, config);
	else
		ret->kept++;
}

/* The same for all nodes; is_listed has room for a value for each node of the farm. */
static void compare(const struct context *context, const struct farm_nodes *farm, const struct nodelist *list,
		    bool *is_listed, struct difference *ret)
{
	for (size_t i = 0; i < list->n_nodes; i++) {
		const struct score_node *known = farm->n == 0 ? NULL :
			bsearch(list->nodes[i].name, farm->nodes, farm->n, sizeof(*farm->nodes), compare_name);

		if (known)
			is_listed[known - farm->nodes] = true;
		compare_config(context, known, &list->nodes[i], ret);
	}
	for (size_t i = 0; i < farm->n; i++)
		if (!is_listed[i] && farm->nodes[i].state != NODE_DRAINING)
			note(context, ret, DRAINING, &farm->nodes[i], &farm->nodes[i].config);
}

int difference_tell(const struct context *context, struct score *score, const struct nodelist *list,
		    struct difference *ret)
{
	bool *is_listed = NULL;
	struct farm_nodes farm;
	int r = farm_nodes_copy(score, &farm);

	*ret = (struct difference){ 0 };
	if (r < 0)
		return r;
	is_listed = calloc(farm.n + 1, sizeof(*is_listed));
	if (!is_listed) {
		farm_nodes_clear(&farm);
		return -ENOMEM;
	}
	if (farm.n > 0)
		qsort(farm.nodes, farm.n, sizeof(*farm.nodes), compare_nodes);
	if (context->json)
		print(stdout, "{\"diff\":[");
	compare(context, &farm, list, is_listed, ret);
	if (context->json)
		print(stdout, "],\"added\":%u,\"changed\":%u,\"draining\":%u,\"kept\":%u}\n", ret->added, ret->changed,
		      ret->draining, ret->kept);
	free(is_listed);
	farm_nodes_clear(&farm);
	return 0;
}
