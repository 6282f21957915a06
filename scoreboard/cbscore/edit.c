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

/* Makes an edit and notes it. 0 and *ret, or -errno. */
static int edit(struct score *score, const struct score_edit *edit, struct score_edited *ret)
{
	int r = score_edit(score, edit, ret);

	if (r == 0)
		note(edit, ret);
	return r;
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

static struct score_edit addition = { .what = EDIT_ADD };

static int read_addition(const struct context *context)
{
	char line[LINE_MAX_];
	size_t used = 0;

	*line = '\0';
	for (int i = 0; i < context->n_arguments && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i ? " " : "", context->arguments[i]);
	if (used >= sizeof(line))
		return complain_usage("add: expected a line of at most %zu bytes", sizeof(line) - 1);
	return read_line("add", line, &addition.config);
}

static int add(const struct context *context, struct score *score)
{
	const char *name = addition.config.name;
	struct score_edited edited;
	int r = edit(score, &addition, &edited);

	if (r == -EEXIST) {
		complain("%s: is a node already", name);
		return STATUS_FAILED;
	}
	if (r < 0)
		return r;
	print(stdout, "%s is added", name);
	if (!is_listed(context, name))
		print(stdout, ", until the next load; %s does not have it", context->farm.nodes);
	(void)putchar('\n');
	return STATUS_OK;
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
		if ((change->config.flags ^ edited->after.flags) & BN_DOWN && strcmp(field->name, "flags") == 0)
			print(stdout, " (whether it is down is left to probes and connections)");
	}
	(void)putchar('\n');
}

static struct score_edit setting = { .what = EDIT_SET };

static int read_setting(const struct context *context)
{
	char message[FIELD_MESSAGE_MAX];

	for (int i = 1; i < context->n_arguments; i++)
		if (field_assign(context->arguments[i], &setting.config, &setting.fields, message) < 0)
			return complain_usage("%s", message);
	return STATUS_OK;
}

static int set_node(const struct context *context, struct score *score, const struct score_node *node)
{
	struct score_edited edited;
	int r;

	(void)context;
	(void)strcpy(setting.config.name, node->config.name);
	r = edit(score, &setting, &edited);
	if (r < 0)
		return r;
	tell_set(&setting, &edited);
	return STATUS_OK;
}

static int set(const struct context *context, struct score *score)
{
	return node_arguments_each(context, score, 1, set_node, NULL);
}

static int remove_node(const struct context *context, struct score *score, const struct score_node *node)
{
	struct score_edit removal = { .what = EDIT_REMOVE, .config = node->config };
	struct score_edited edited = { .busy = node->busy };
	bool already = node->state == NODE_DRAINING;
	int r = already ? 0 : edit(score, &removal, &edited);

	if (r < 0)
		return r;
	print(stdout, "%s is %sremoved", node->config.name, already ? "already " : "");
	drain_tell_busy(edited.busy);
	if (is_listed(context, node->config.name))
		print(stdout, "; %s still has it, the next load adds it again", context->farm.nodes);
	(void)putchar('\n');
	return STATUS_OK;
}

static int remove_nodes(const struct context *context, struct score *score)
{
	return node_arguments_each(context, score, context->n_arguments, remove_node, drain_wait);
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

static int dump(const struct context *context, struct score *score)
{
	(void)context;
	print(stdout, "# host, port, cores, flags [, key=value]...\n");
	return score_each_node(score, dump_node, NULL);
}

const struct action verb_dump = {
	.verb = {
		.name = "dump", .arguments = "",
		.help = "write the farm's nodes as a node list",
	},
	.look = dump,
};

const struct action verb_add = {
	.verb = {
		.name = "add", .arguments = "LINE", .also = "new create", .min = 1, .max = -1, .topic = TOPIC_LINE,
		.help = "add a node, written as in the node list",
	},
	.read = read_addition, .change = add,
};

const struct action verb_remove = {
	.verb = {
		.name = "remove", .arguments = "NODE...", .also = "rm del delete", .min = 1, .max = -1, .options = { &drain_options },
		.help = "remove nodes: no new connections, present ones go on",
	},
	.read = drain_read, .change = remove_nodes,
};

const struct action verb_set = {
	.verb = {
		.name = "set", .arguments = "NODE KEY=VALUE...", .also = "change", .min = 2, .max = -1, .topic = TOPIC_KEYS,
		.help = "change the keys of a node",
	},
	.read = read_setting, .change = set,
};
