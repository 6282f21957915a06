/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * edit.c: the verbs that change one node of the farm while it works: add,
 * remove, set; and dump, which writes the farm as a node list.
 *
 * set reads each value by its row of list/fields.c, as the node list does. The
 * library then changes those fields and no others in one critical section, so
 * that edits of one node by several people at once all last.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_argument.h"
#include "verbs.h"

#define LINE_MAX_ 2048

static int edit(const struct context *context, const struct score_edit *edit, const char *done)
{
	struct score *score;
	int r, status;

	status = context_open(context, &score);
	if (status != STATUS_OK)
		return status;
	r = score_edit(score, edit, NULL);
	(void)score_close(score);
	switch (r) {
	case 0:
		(void)printf("%s is %s\n", edit->config.name, done);
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

/* Reads the one node of a line. where stands before its errors. */
static int read_line(const char *where, const char *line, struct node_config *ret)
{
	struct nodelist list;
	int r = nodelist_parse(where, line, strlen(line), &list);

	if (r < 0) {
		complain("%s", strerror(-r));
		return STATUS_FAILED;
	}
	for (size_t i = 0; i < list.n_errors; i++)
		complain("%s", list.errors[i]);
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
	char line[LINE_MAX_];
	size_t used = 0;
	int status;

	*line = '\0';
	for (int i = 0; i < argc && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i ? " " : "", argv[i]);
	if (used >= sizeof(line))
		return complain_usage("add: expected a line of at most %zu bytes", sizeof(line) - 1);
	status = read_line("add", line, &change.config);
	return status == STATUS_OK ? edit(context, &change, "added") : status;
}

/* The name of the node that an argument means. */
static int find(const struct context *context, const char *word, char ret[static NODE_NAME_MAX + 1])
{
	struct score_node node;
	struct score *score;
	int status;

	status = context_open(context, &score);
	if (status != STATUS_OK)
		return status;
	status = node_argument_find(context, score, word, &node);
	(void)score_close(score);
	if (status == STATUS_OK)
		(void)strcpy(ret, node.config.name);
	return status;
}

static int run_remove(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	struct score_edit change = { .what = EDIT_REMOVE };
	int status = find(context, argv[0], change.config.name);

	(void)argc;
	return status == STATUS_OK ? edit(context, &change, "removed; connections that it has go on") : status;
}

static int run_set(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	struct score_edit change = { .what = EDIT_SET };
	char message[FIELD_MESSAGE_MAX];
	int status;

	for (int i = 1; i < argc; i++)
		if (field_assign(argv[i], &change.config, &change.fields, message) < 0)
			return complain_usage("%s", message);
	status = find(context, argv[0], change.config.name);
	return status == STATUS_OK ? edit(context, &change, "changed") : status;
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
	(void)printf("%s\n", line);
	return 0;
}

static int run_dump(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	struct score *score;
	int r, status;

	(void)argc;
	(void)argv;
	status = context_open(context, &score);
	if (status != STATUS_OK)
		return status;
	(void)printf("# host, port, cores, flags [, key=value]...\n");
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
	.name = "remove", .arguments = "NODE", .also = "rm del delete", .min = 1, .max = 1, .run = run_remove,
	.help = "remove a node: no new connections, present ones go on",
};

const struct verb verb_set = {
	.name = "set", .arguments = "NODE KEY=VALUE...", .also = "change", .min = 2, .max = -1, .topic = TOPIC_KEYS,
	.run = run_set,
	.help = "change the keys of a node",
};
