/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * edit.c: the verbs that change a node of the running farm: add, remove, set;
 * and dump, which writes the farm as a node list.
 *
 * set reads each value by its row of list/fields.c, as the node list does. The
 * library then changes those fields and no others in one section, so edits of a
 * node by several administrators at once all last.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "drain.h"
#include "node_argument.h"
#include "system/printable.h"
#include "verbs.h"

#define LINE_MAX_ 2048

/* Writes the fields that the edit sets, "cores=4, speed=2", as they were or are in config. */
static void format_fields(const struct score_edit *edit, const struct node_config *config, char text[static LINE_MAX_])
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < n_node_fields && used < LINE_MAX_; i++) {
		char value[FIELD_TEXT_MAX];

		if (!(edit->fields & field_bit(&node_fields[i])))
			continue;
		field_format(&node_fields[i], config, value);
		used += (size_t)snprintf(text + used, LINE_MAX_ - used, "%s%s=%s", used ? ", " : "", node_fields[i].name, value);
	}
}

/* Notes an edit in the journal. */
static void note(const struct score_edit *edit, const struct score_edited *edited)
{
	char before[LINE_MAX_], after[LINE_MAX_];

	switch (edit->what) {
	case EDIT_ADD:
		(void)node_config_format(&edited->after, after, sizeof(after));
		act_tell("add", edit->config.name, NULL, after);
		break;
	case EDIT_REMOVE:
		(void)node_config_format(&edited->before, before, sizeof(before));
		act_tell("remove", edit->config.name, before, NULL);
		break;
	case EDIT_SET:
		format_fields(edit, &edited->before, before);
		format_fields(edit, &edited->after, after);
		if (strcmp(before, after) != 0)
			act_tell("set", edit->config.name, before, after);
		break;
	}
}

/* Makes an edit. STATUS_OK and *ret; or another status, and the error was told. */
static int edit(const struct context *context, struct score *score, const struct score_edit *edit,
		struct score_edited *ret)
{
	int r = score_edit(score, edit, ret);

	switch (r) {
	case 0:
		note(edit, ret);
		return STATUS_OK;
	case -EEXIST:
		complain("%s: is a node already", edit->config.name);
		return STATUS_FAILED;
	case -ENOENT:
		complain("%s: no such node", edit->config.name);
		return STATUS_NO_NODE;
	default:
		return complain_score(context, r);
	}
}

/* Whether the node list has the node, so that the next load keeps it. Tells no errors: a list that cannot be read has
 * no nodes. */
static bool is_listed(const struct context *context, const char *name)
{
	struct nodelist list;
	bool found = false;

	if (nodelist_read(context->farm.nodes, &list) == 0)
		for (size_t i = 0; i < list.n_nodes && !found; i++)
			found = strcmp(list.nodes[i].name, name) == 0;
	nodelist_clear(&list);
	return found;
}

/* Reads the node of a line. where stands before its errors. */
static int read_line(const char *where, const char *line, struct node_config *ret)
{
	struct nodelist list;
	int r = nodelist_parse(where, line, strlen(line), &list);

	if (r < 0) {
		complain("%s", strerror(-r));
		return STATUS_FAILED;
	}
	/* The line is an argument, so its errors name no file and no number: the field and its value are enough. */
	for (size_t i = 0; i < list.n_errors; i++) {
		const char *message = strstr(list.errors[i], ": ");

		complain("%s", message ? message + 2 : list.errors[i]);
	}
	if (list.n_errors == 0 && list.n_nodes != 1)
		complain("%s: expected one node: host, port, cores, flags [, key=value]...", where);
	r = list.n_errors == 0 && list.n_nodes == 1 ? STATUS_OK : STATUS_USAGE;
	if (r == STATUS_OK)
		*ret = list.nodes[0];
	nodelist_clear(&list);
	return r;
}

static int run_add(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	struct score_edit change = { .what = EDIT_ADD };
	struct score_edited edited;
	struct score *score;
	char line[LINE_MAX_];
	size_t used = 0;
	int status;

	*line = '\0';
	for (int i = 0; i < argc && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i ? " " : "", argv[i]);
	if (used >= sizeof(line))
		return complain_usage("add: expected a line of at most %zu bytes", sizeof(line) - 1);
	status = read_line("add", line, &change.config);
	if (status == STATUS_OK)
		status = context_open(context, &score);
	if (status != STATUS_OK)
		return status;
	status = edit(context, score, &change, &edited);
	(void)score_close(score);
	if (status == STATUS_OK)
		print(stdout, "%s is added%s%s%s\n", change.config.name,
			     is_listed(context, change.config.name) ? "" : ", until the next load; ",
			     is_listed(context, change.config.name) ? "" : context->farm.nodes,
			     is_listed(context, change.config.name) ? "" : " does not have it");
	return status;
}

/* Tells what happens to connections above the number of cores. */
static void tell_cores(const struct score_edited *edited)
{
	uint32_t cores = edited->after.cores;

	if (edited->busy > cores)
		print(stdout, " (%" PRIu32 " busy: %" PRIu32 " finish first)", edited->busy, edited->busy - cores);
}

/* Tells a change: "fast1.farm:4001: cores 4 -> 2 (4 busy: 2 finish first), speed 1.5 -> learned". */
static void tell_set(const struct score_edit *change, const struct score_edited *edited)
{
	bool any = false;

	print(stdout, "%s: ", edited->after.name);
	for (size_t i = 0; i < n_node_fields; i++) {
		const struct field *field = &node_fields[i];
		char before[FIELD_TEXT_MAX], after[FIELD_TEXT_MAX];

		if (!(change->fields & field_bit(field)))
			continue;
		field_format(field, &edited->before, before);
		field_format(field, &edited->after, after);
		print(stdout, "%s%s ", any ? ", " : "", field->name);
		any = true;
		if (strcmp(before, after) == 0)
			print(stdout, "is %s already", *after ? after : "not set");
		else
			print(stdout, "%s -> %s", *before ? before : "not set", *after ? after : "not set");
		if (strcmp(field->name, "cores") == 0)
			tell_cores(edited);
	}
	(void)putchar('\n');
}

static int run_set(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	struct score_edit change = { .what = EDIT_SET };
	struct score_edited edited;
	char message[FIELD_MESSAGE_MAX];
	struct score_node node;
	struct score *score;
	int status;

	for (int i = 1; i < argc; i++)
		if (field_assign(argv[i], &change.config, &change.fields, message) < 0)
			return complain_usage("%s", message);
	status = context_open(context, &score);
	if (status != STATUS_OK)
		return status;
	status = node_argument_find(context, score, argv[0], &node);
	if (status == STATUS_OK) {
		(void)strcpy(change.config.name, node.config.name);
		status = edit(context, score, &change, &edited);
	}
	(void)score_close(score);
	if (status == STATUS_OK)
		tell_set(&change, &edited);
	return status;
}

static int remove_node(const struct context *context, struct score *score, const struct score_node *node)
{
	struct score_edit change = { .what = EDIT_REMOVE, .config = node->config };
	struct score_edited edited;
	int status = edit(context, score, &change, &edited);

	if (status != STATUS_OK)
		return status;
	print(stdout, "%s is removed", node->config.name);
	if (edited.busy > 0)
		print(stdout, "; %" PRIu32 " connection%s of it go%s on", edited.busy, edited.busy == 1 ? "" : "s",
			     edited.busy == 1 ? "es" : "");
	if (is_listed(context, node->config.name))
		print(stdout, "; %s still has it, the next load adds it again", context->farm.nodes);
	(void)putchar('\n');
	return STATUS_OK;
}

static int run_remove(void *settings, int argc, char **argv)
{
	return node_arguments_each(settings, argc, argv, remove_node, drain_wait);
}

static int dump_node(const struct score_node *node, void *arg)
{
	struct node_config config = node->config;
	char line[LINE_MAX_];

	(void)arg;
	if (node->state == NODE_DRAINING)
		return 0;
	config.flags = node->flags;
	(void)node_config_format(&config, line, sizeof(line));
	print(stdout, "%s\n", line);
	return 0;
}

static int run_dump(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	struct score *score;
	int r, status;

	(void)argc;
	(void)argv;
	status = context_look(context, &score);
	if (status != STATUS_OK)
		return status;
	print(stdout, "# host, port, cores, flags [, key=value]...\n");
	r = score_each_node(score, dump_node, NULL);
	(void)score_close(score);
	return r < 0 ? complain_score(context, r) : STATUS_OK;
}

const struct verb verb_dump = {
	.name = "dump", .arguments = "", .run = run_dump,
	.help = "write the farm's nodes as a node list",
};

const struct verb verb_add = {
	.name = "add", .arguments = "LINE", .also = "new create", .min = 1, .max = -1, .topic = TOPIC_KEYS, .run = run_add,
	.help = "add a node, written as in the node list",
};

const struct verb verb_remove = {
	.name = "remove", .arguments = "NODE...", .also = "rm del delete", .min = 1, .max = -1, .options = { &drain_options },
	.run = run_remove,
	.help = "remove nodes: no new connections, present ones go on",
};

const struct verb verb_set = {
	.name = "set", .arguments = "NODE KEY=VALUE...", .also = "change", .min = 2, .max = -1, .topic = TOPIC_KEYS,
	.run = run_set,
	.help = "change the keys of a node",
};
