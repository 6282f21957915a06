/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbscore.c: the program: the table of verbs, the options of all verbs, and
 * what --help tells of tables and keys.
 */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "charset.h"
#include "columns.h"
#include "command/alone.h"
#include "context.h"
#include "keep_holds.h"
#include "system/inherited.h"
#include "system/log.h"
#include "system/printable.h"
#include "verbs.h"

OPTION_FLAG(set_interactive, ((struct context *)settings)->interactive)

static const struct option_row rows[] = {
	FARM_OPTION_ROWS("node list"),
	{ "interactive", 'i', NULL, "without a verb: as the verb shell", NULL, NULL, set_interactive, NULL },
};

/* The type of a column in JSON. */
static const char *type_of(const struct column *column)
{
	switch (column->type) {
	case COLUMN_TEXT:
	case COLUMN_STATE:
		return "string";
	case COLUMN_BOOLEAN:
		return "boolean";
	default:
		return "number";
	}
}

/* Tells the columns that are shown without -o, or those that are not. */
static void tell_some_columns(const struct verb *verb, enum table_kind kind, bool shown, bool raw)
{
	bool any = false;
	char help[256];

	for (size_t i = 0; i < n_columns; i++) {
		const struct column *column = &columns[i];

		if (column->table != kind || (column->shown != SHOWN_NOT) != shown)
			continue;
		if (!raw && !any)
			print(stdout, shown ? "\nColumns of %s:\n" : "Columns of %s with -o:\n", verb->name);
		any = true;
		if (raw) {
			print(stdout, "column\t%s\t%s\t%s\t%s\t%s\n", verb->name, column->name, shown ? "shown" : "-", type_of(column),
				     column->help);
		} else {
			(void)snprintf(help, sizeof(help), "%s%s", column->help,
				       column->shown == SHOWN_PEOPLE ? " (tables for people)" :
				       column->shown == SHOWN_PROGRAMS ? " (raw and JSON)" : "");
			command_help_row(column->name, help);
		}
	}
}

static void tell_columns(const struct verb *verb, enum table_kind kind, bool raw)
{
	tell_some_columns(verb, kind, true, raw);
	tell_some_columns(verb, kind, false, raw);
}

static void tell_keys(const struct verb *verb, bool raw)
{
	if (!raw)
		print(stdout, "\nKeys of a node:\n");
	for (size_t i = 0; i < n_node_fields; i++) {
		const struct field *field = &node_fields[i];
		char left[64];

		if (field->is_fixed)
			continue;
		(void)snprintf(left, sizeof(left), "%s=%s", field->name, field->argument);
		if (raw)
			print(stdout, "key\t%s\t%s\t%s\t%s\n", verb->name, field->name, field->argument, field->help);
		else
			command_help_row(left, field->help);
	}
}

/* A line is a single argument, so completion has no use for its fields. */
static void tell_line(bool raw)
{
	if (raw)
		return;
	print(stdout, "\nLINE is host, port, cores, flags [, key=value]..., with these fields and keys:\n");
	for (size_t i = 0; i < n_node_fields; i++) {
		const struct field *field = &node_fields[i];
		bool key = field->form == FIELD_KEY;
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s", field->name, key ? "=" : "", key ? field->argument : "");
		command_help_row(left, field->help);
	}
}

static void tell_more(const struct verb *verb, bool raw)
{
	if (verb->topic == TOPIC_KEYS)
		tell_keys(verb, raw);
	else if (verb->topic == TOPIC_LINE)
		tell_line(raw);
	else if (verb->topic >= TOPIC_COLUMNS)
		tell_columns(verb, (enum table_kind)(verb->topic - TOPIC_COLUMNS), raw);
}

#define VERB_ROW(name) &verb_##name.verb,
static const struct verb *const verbs[] = { VERBS(VERB_ROW) NULL };

static const char *const usage[] = { "[OPTION...] [VERB [ARGUMENT...]]", NULL };

const struct command command = {
	.name = "cbscore",
	.usage = usage,
	.about = "Look at and change the scoreboard of a farm. Without a verb: list.",
	.manual = "cbscore(1)",
	.options = OPTION_SET(rows),
	.verbs = verbs,
	.standard = &verb_list.verb,
	.tell_more = tell_more,
};

const struct verb *context_verb;

/* Core Balance's "-w PORT" implies the verb serve, if no verb is given: puts it before the option. Returns the new words, or
 * the given. */
static char **with_verb(int *argc, char **argv)
{
	static char serve[] = "serve";
	char **words;

	if (*argc < 2 || (strncmp(argv[1], "-w", 2) != 0 && strncmp(argv[1], "--web", 5) != 0) ||
	    command_names_verb(&command, *argc, argv))
		return argv;
	words = calloc((size_t)*argc + 2, sizeof(*words)); /* never freed: needed until the process ends */
	if (!words)
		return argv;
	words[0] = argv[0];
	words[1] = serve;
	for (int i = 1; i < *argc; i++)
		words[i + 1] = argv[i];
	++*argc;
	return words;
}

/* No option and no variable names a farm, and the machine has none: looks for a stand-alone farm. STATUS_OK; or
 * STATUS_FAILED and why: there are several. */
static int find_alone(struct farm_options *farm, char why[static CONTEXT_WHY_MAX])
{
	static char path[ALONE_PATH_MAX];
	size_t n;

	if (farm->scoreboard_given || farm->nodes_given || score_exists(farm->scoreboard) == 1)
		return STATUS_OK;
	n = alone_find(path);
	if (n > 1) {
		(void)snprintf(why, CONTEXT_WHY_MAX,
			       "%zu stand-alone farms are here: name one by --scoreboard, as cbrelay said it; for example %s", n, path);
		return STATUS_FAILED;
	}
	if (n == 1)
		farm->scoreboard = path;
	return STATUS_OK;
}

/* Finds the farm that the verb works on. STATUS_OK; or another status, and the error was told. */
static int settle_farm(struct context *context, const struct action *action)
{
	char why[CONTEXT_WHY_MAX];

	if (farm_options_settle(&context->farm) < 0) {
		(void)snprintf(why, sizeof(why), "$COREBALANCE_FARM: \"%s\": expected the name of a farm", context->farm.name);
		return action->unreadable ? action_fail(action, context, why) : complain_usage("%s", why);
	}
	if (!action->no_stand_alone && find_alone(&context->farm, why) != STATUS_OK)
		return action_fail(action, context, why);
	context->farm_shown = farm_options_shown(&context->farm);
	return STATUS_OK;
}

/* The exit status of a verb that failed before it began, or whose output was lost: the verb's own, or otherwise. */
static int failed_status(const struct verb *verb, int otherwise)
{
	return verb && verb->failed_status ? verb->failed_status : otherwise;
}

int main(int argc, char **argv)
{
	struct context context = { 0 };
	struct command_line line;
	struct score *score;
	int r, status;

	if (inherited_settle(0) < 0)
		return STATUS_FAILED; /* stderr may be closed: nothing can be said */
	log_setup("cbscore");
	(void)setlocale(LC_ALL, "");
	(void)setlocale(LC_NUMERIC, "C"); /* a decimal point in every locale: programs read this */
	charset_settle();
	argv = with_verb(&argc, argv);
	r = command_parse(&command, argc, argv, &context, &line);
	if (r != 0)
		return r > 0 ? STATUS_OK : failed_status(line.verb, r == -EINVAL ? STATUS_USAGE : STATUS_FAILED);
	if (context.interactive && line.verb == command.standard && line.n_arguments == 0)
		line.verb = &verb_shell.verb;
	context_verb = line.verb;
	status = settle_farm(&context, action_of(line.verb));
	if (status != STATUS_OK)
		return status;
	context.n_arguments = line.n_arguments;
	context.arguments = line.arguments;
	act_set_farm(context.farm_shown);
	status = action_run(action_of(line.verb), &context);
	/* If the scoreboard cannot be opened now, the next change keeps them. */
	if (act_any_new() && score_open(context.farm.scoreboard, NULL, &score) == 0) {
		keep_holds(&context, score);
		(void)score_close(score);
	}
	return command_flush(&command) < 0 ? failed_status(line.verb, STATUS_FAILED) : status;
}
