/* SPDX-License-Identifier: GPL-3.0-or-later */

/* nodes.c: the verbs about node lists: load, diff, validate. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "act.h"
#include "difference.h"
#include "system/printable.h"
#include "verbs.h"

static bool arg_adopt;

/* Says why the list was not loaded. */
static int complain_load(const struct context *context, struct score *score, const char *path, int r)
{
	char text[2 * SCORE_LIST_MAX + 128];

	if (r != -EMEDIUMTYPE || score_check_list(score, path, text, sizeof(text)) != -EMEDIUMTYPE)
		return complain_score(context, r);
	complain("%s: %s", context->farm.scoreboard, text);
	return STATUS_FAILED;
}

static bool arg_dry_run;

/* Tells how the list and the farm differ. STATUS_OK and *ret; or another status, and the error was told. */
static int compare(const struct context *context, const char *path, struct difference *ret)
{
	struct score *score = NULL;
	struct nodelist list;
	int status = context_read_nodes(path, &list);

	if (status != STATUS_OK)
		return status;
	status = context_look(context, &score);
	if (status == STATUS_OK)
		status = difference_tell(context, score, &list, ret);
	(void)score_close(score);
	nodelist_clear(&list);
	return status;
}

static int run_diff(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	const char *path = argc > 0 ? argv[0] : context->farm.nodes;
	struct difference difference;
	int status = compare(context, path, &difference);

	if (status != STATUS_OK)
		return status;
	if (difference.added + difference.changed + difference.draining > 0)
		return STATUS_FAILED;
	if (!context->json)
		print(stdout, "%s and the farm agree\n", path);
	return STATUS_OK;
}

static const struct option_row diff_rows[] = { JSON_ROW };

static const struct option_set diff_options = OPTION_SET(diff_rows);

const struct verb verb_diff = {
	.name = "diff", .arguments = "[FILE|-]", .also = "compare", .max = 1, .options = { &diff_options }, .run = run_diff,
	.help = "what the node list would change in the farm",
};

static int dry_run(const struct context *context, const char *path)
{
	struct difference difference;
	int status = compare(context, path, &difference);

	if (status == STATUS_OK)
		print(stdout, "%u to add, %u to change, %u to drain, %u kept; nothing is done\n", difference.added,
			     difference.changed, difference.draining, difference.kept);
	return status;
}

static int run_load(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	const char *path = argc > 0 ? argv[0] : context->farm.nodes;
	struct score_load_result result;
	struct score *score = NULL;
	char text[ACT_TEXT_MAX];
	struct nodelist list;
	int r, status, existed;

	if (arg_dry_run)
		return dry_run(context, path);
	status = context_read_nodes(path, &list);
	if (status != STATUS_OK)
		return status;
	list.adopt = arg_adopt;
	existed = score_exists(context->farm.scoreboard);
	context_tell_of_damage();
	r = score_open(context->farm.scoreboard, &list, &score);
	if (r == 0)
		r = score_load(score, &list, &result);
	if (r == 0 && existed == 0) {
		/* The scoreboard was made from this very list a moment ago. */
		result.added += result.kept;
		result.kept = 0;
	}
	status = r < 0 ? complain_load(context, score, path, r) : STATUS_OK;
	(void)score_close(score);
	nodelist_clear(&list);
	if (r < 0)
		return status;
	if (result.added + result.changed + result.draining + result.removed > 0) {
		(void)snprintf(text, sizeof(text), "%u added, %u changed, %u draining, %u removed", result.added, result.changed,
			       result.draining, result.removed);
		act_tell("load", NULL, NULL, text);
	}
	print(stdout, "%u added, %u changed, %u draining, %u removed, %u kept\n", result.added, result.changed,
		     result.draining, result.removed, result.kept);
	return STATUS_OK;
}

static int set_adopt(void *settings, const char *value)
{
	(void)settings;
	(void)value;
	arg_adopt = true;
	return 0;
}

static int set_dry_run(void *settings, const char *value)
{
	(void)settings;
	(void)value;
	arg_dry_run = true;
	return 0;
}

static const struct option_row rows[] = {
	{ "adopt", 0, NULL, "also if the farm was made from another list", NULL, NULL, set_adopt, NULL },
	{ "dry-run", 0, NULL, "tell what would change, as diff does, and do nothing", NULL, NULL, set_dry_run, NULL },
};

static const struct option_set options = OPTION_SET(rows);

const struct verb verb_load = {
	.name = "load", .arguments = "[FILE]", .also = "reload", .max = 1, .options = { &options }, .run = run_load,
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
	print(stdout, "%s: %zu node%s, %llu core%s\n", strcmp(path, "-") == 0 ? "standard input" : path, list.n_nodes, list.n_nodes == 1 ? "" : "s",
		     cores, cores == 1 ? "" : "s");
	nodelist_clear(&list);
	return STATUS_OK;
}

const struct verb verb_validate = {
	.name = "validate", .arguments = "[FILE|-]", .also = "test", .max = 1, .run = run_validate,
	.help = "read the node list and tell its mistakes",
};
