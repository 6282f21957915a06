/* SPDX-License-Identifier: GPL-3.0-or-later */

/* nodes.c: the verbs about node lists: load, validate. */

#include <stdio.h>
#include <string.h>

#include "verbs.h"

static int run_load(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	struct score_load_result result;
	struct score *score = NULL;
	struct nodelist list;
	int r, status, existed;

	status = context_read_nodes(argc > 0 ? argv[0] : context->farm.nodes, &list);
	if (status != STATUS_OK)
		return status;
	existed = score_exists(context->farm.scoreboard);
	context_tell_of_damage();
	r = score_open(context->farm.scoreboard, &list, &score);
	if (r == 0)
		r = score_load(score, &list, &result);
	if (r == 0 && existed == 0) {
		/* It was made from this very list a moment ago. */
		result.added += result.kept;
		result.kept = 0;
	}
	(void)score_close(score);
	nodelist_clear(&list);
	if (r < 0)
		return complain_score(context, r);
	(void)printf("%u added, %u changed, %u draining, %u removed, %u kept\n", result.added, result.changed,
		     result.draining, result.removed, result.kept);
	return STATUS_OK;
}

const struct verb verb_load = {
	.name = "load", .arguments = "[FILE]", .also = "reload", .max = 1, .run = run_load,
	.help = "make the farm's nodes those of the node list",
};

static int run_validate(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	const char *path = argc > 0 ? argv[0] : context->farm.nodes;
	unsigned long long cores = 0;
	struct nodelist list;
	int status;

	status = context_read_nodes(path, &list);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < list.n_nodes; i++)
		cores += list.nodes[i].cores;
	(void)printf("%s: %zu node%s, %llu core%s\n", strcmp(path, "-") == 0 ? "standard input" : path, list.n_nodes, list.n_nodes == 1 ? "" : "s",
		     cores, cores == 1 ? "" : "s");
	nodelist_clear(&list);
	return STATUS_OK;
}

const struct verb verb_validate = {
	.name = "validate", .arguments = "[FILE|-]", .also = "test", .max = 1, .run = run_validate,
	.help = "read the node list and tell its mistakes",
};
