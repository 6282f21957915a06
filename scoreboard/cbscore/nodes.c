/* SPDX-License-Identifier: GPL-3.0-or-later */

/* nodes.c: the verbs about node lists: load, diff, validate. */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "act.h"
#include "difference.h"
#include "system/printable.h"
#include "verbs.h"

/* ---- reading ---- */

static struct nodelist list; /* the list of the argument; freed with the process, which ends after the verb */

static bool arg_all;          /* every error is shown */

static const char *path_of(const struct context *context)
{
	return context->n_arguments > 0 ? context->arguments[0] : context->farm.nodes;
}

static int read_list(const struct context *context)
{
	return context_read_nodes(path_of(context), arg_all ? SIZE_MAX : NODELIST_ERRORS_SHOWN, &list);
}

/* ---- diff ---- */

static int diff(const struct context *context, struct score *score)
{
	struct difference difference;
	int r = difference_tell(context, score, &list, &difference);

	if (r < 0)
		return r;
	if (difference.added + difference.changed + difference.draining > 0)
		return STATUS_FAILED;
	if (!context->json)
		print(stdout, "%s and the farm agree\n", path_of(context));
	return STATUS_OK;
}

static const struct option_row diff_rows[] = { JSON_ROW };

static const struct option_set diff_options = OPTION_SET(diff_rows);

const struct action verb_diff = {
	.verb = {
		.name = "diff", .arguments = "[FILE|-]", .also = "compare", .max = 1, .options = { &diff_options },
		.help = "what the node list would change in the farm",
	},
	.read = read_list, .look = diff,
};

/* ---- load ---- */

static bool arg_adopt, arg_dry_run;

static int rehearse(const struct context *context, struct score *score)
{
	struct difference difference;
	int r = difference_tell(context, score, &list, &difference);

	if (r == 0 && !context->json)
		print(stdout, "%u to add, %u to change, %u to drain, %u kept; nothing is done\n", difference.added,
		      difference.changed, difference.draining, difference.kept);
	return r;
}

static const struct action rehearsal = { .look = rehearse };

/* Says why the list was not loaded. */
static int complain_load(const struct context *context, struct score *score, int r)
{
	char text[2 * SCORE_LIST_MAX + 128];

	if (r != -EMEDIUMTYPE || score_check_list(score, path_of(context), text, sizeof(text)) != -EMEDIUMTYPE)
		return complain_score(context, r);
	complain("%s: %s", context->farm.scoreboard, text);
	return STATUS_FAILED;
}

static void tell_load(const struct context *context, const struct score_load_result *result)
{
	char text[ACT_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%u added, %u changed, %u draining, %u removed", result->added, result->changed,
		       result->draining, result->removed);
	if (result->added + result->changed + result->draining + result->removed > 0)
		act_tell("load", NULL, NULL, text);
	if (context->json)
		print(stdout, "{\"added\":%u,\"changed\":%u,\"draining\":%u,\"removed\":%u,\"kept\":%u}\n", result->added,
		      result->changed, result->draining, result->removed, result->kept);
	else
		print(stdout, "%s, %u kept\n", text, result->kept);
}

/* Opens the scoreboard by itself: a missing scoreboard is made from this list, and not from the usual list. */
static int load(const struct context *context)
{
	int existed = score_exists(context->farm.scoreboard), r, status = STATUS_OK;
	struct score_load_result result;
	struct score *score = NULL;

	if (arg_dry_run)
		return action_run(&rehearsal, context);
	list.adopt = arg_adopt;
	context_tell_of_damage();
	r = score_open(context->farm.scoreboard, &list, &score) ?: score_load(score, &list, &result);
	if (r < 0)
		status = complain_load(context, score, r);
	(void)score_close(score);
	if (r < 0)
		return status;
	if (existed == 0) {
		/* The scoreboard was made from this very list a moment ago. */
		result.added += result.kept;
		result.kept = 0;
	}
	tell_load(context, &result);
	return STATUS_OK;
}

OPTION_FLAG(set_adopt, arg_adopt)
OPTION_FLAG(set_dry_run, arg_dry_run)

static const struct option_row rows[] = {
	{ "adopt", 0, NULL, "also if the farm was made from another list", NULL, NULL, set_adopt, NULL },
	{ "dry-run", 0, NULL, "tell what would change, as diff does, and do nothing", NULL, NULL, set_dry_run, NULL },
	JSON_ROW,
};

static const struct option_set options = OPTION_SET(rows);

const struct action verb_load = {
	.verb = {
		.name = "load", .arguments = "[FILE]", .also = "reload", .max = 1, .options = { &options },
		.help = "make the farm's nodes those of the node list",
	},
	.read = read_list, .run = load, .no_stand_alone = true,
};

/* ---- validate ---- */

OPTION_FLAG(set_all, arg_all)

static const struct option_row validate_rows[] = {
	{ "all", 'a', NULL, "tell every mistake, and not only the first 20", NULL, NULL, set_all, NULL },
};

static const struct option_set validate_options = OPTION_SET(validate_rows);

_Static_assert(NODELIST_ERRORS_SHOWN == 20, "as the row says");

static int validate(const struct context *context)
{
	const char *path = path_of(context);
	unsigned long long cores = 0;

	for (size_t i = 0; i < list.n_nodes; i++)
		cores += list.nodes[i].cores;
	print(stdout, "%s: %zu node%s, %llu core%s\n", strcmp(path, "-") == 0 ? "standard input" : path, list.n_nodes,
	      list.n_nodes == 1 ? "" : "s", cores, cores == 1 ? "" : "s");
	return STATUS_OK;
}

const struct action verb_validate = {
	.verb = {
		.name = "validate", .arguments = "[FILE|-]", .also = "test", .max = 1, .options = { &validate_options },
		.help = "read the node list and tell its mistakes",
	},
	.read = read_list, .run = validate, .no_stand_alone = true,
};
