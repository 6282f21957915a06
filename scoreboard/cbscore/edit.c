/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * edit.c: the verbs that change one node of the farm while it works: add,
 * remove, set; and dump, which writes the farm as a node list.
 *
 * A changed node is written as a line of a node list and read again, so that
 * the list's parser is the only judge of what a node may be.
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
	r = score_edit(score, edit);
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

int verb_add(const struct context *context, int argc, char **argv)
{
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

/* The node that an argument means. */
static int find(const struct context *context, const char *word, struct node_config *ret)
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
		*ret = node.config;
	return status;
}

int verb_remove(const struct context *context, int argc, char **argv)
{
	struct score_edit change = { .what = EDIT_REMOVE };
	int status = find(context, argv[0], &change.config);

	(void)argc;
	return status == STATUS_OK ? edit(context, &change, "removed; connections that it has go on") : status;
}

static const char *proxy_name(enum node_proxy proxy)
{
	return proxy == NODE_PROXY_V1 ? "v1" : proxy == NODE_PROXY_V2 ? "v2" : "";
}

/* What set can change, as text; an empty one is left out of the line. */
enum field { CORES, FLAGS, SPEED, BACKUP, CHECK, PROXY, CHECK_PROXY, FIELDS_ };

static const char *const field_names[FIELDS_] = {
	[CORES] = "cores", [FLAGS] = "flags", [SPEED] = "speed", [BACKUP] = "backup",
	[CHECK] = "check", [PROXY] = "proxy", [CHECK_PROXY] = "check-proxy",
};

struct fields {
	char text[FIELDS_][NODE_CHECK_MAX + 1];
};

static void fields_of(const struct node_config *config, struct fields *ret)
{
	(void)snprintf(ret->text[CORES], sizeof(ret->text[CORES]), "%u", config->cores);
	(void)snprintf(ret->text[FLAGS], sizeof(ret->text[FLAGS]), "%u", config->flags);
	*ret->text[SPEED] = '\0';
	if (config->speed > 0)
		(void)snprintf(ret->text[SPEED], sizeof(ret->text[SPEED]), "%.15g", config->speed);
	(void)snprintf(ret->text[BACKUP], sizeof(ret->text[BACKUP]), "%s", config->backup ? "yes" : "no");
	(void)snprintf(ret->text[CHECK], sizeof(ret->text[CHECK]), "%s", config->check);
	(void)snprintf(ret->text[PROXY], sizeof(ret->text[PROXY]), "%s", proxy_name(config->proxy));
	(void)snprintf(ret->text[CHECK_PROXY], sizeof(ret->text[CHECK_PROXY]), "%s", proxy_name(config->check_proxy));
}

static int fields_set(struct fields *fields, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	size_t length = equals ? (size_t)(equals - assignment) : strlen(assignment);

	for (enum field i = 0; equals && i < FIELDS_; i++) {
		if (strlen(field_names[i]) != length || strncmp(field_names[i], assignment, length) != 0)
			continue;
		if (i == BACKUP && strcmp(equals + 1, "yes") != 0 && strcmp(equals + 1, "no") != 0)
			return complain_usage("backup: \"%s\": expected yes or no", equals + 1);
		/* Else it would be another field, a comment, or another node of the line that is made of it. */
		if (strpbrk(equals + 1, ",#\n") || strlen(equals + 1) > NODE_CHECK_MAX)
			return complain_usage("%s: \"%s\": expected one line of at most %d bytes, without a comma or #",
					      field_names[i], equals + 1, NODE_CHECK_MAX);
		(void)strcpy(fields->text[i], equals + 1);
		return STATUS_OK;
	}
	return complain_usage("\"%s\": expected cores=, flags=, speed=, backup=, check=, proxy= or check-proxy=",
			      assignment);
}

static void fields_line(const struct node_config *config, const struct fields *fields, char line[static LINE_MAX_])
{
	bool v6 = strchr(config->host, ':') != NULL;
	size_t used;

	used = (size_t)snprintf(line, LINE_MAX_, "%s%s%s, %u, %s, %s%s", v6 ? "[" : "", config->host, v6 ? "]" : "",
				config->port, fields->text[CORES], fields->text[FLAGS],
				strcmp(fields->text[BACKUP], "yes") == 0 ? ", backup" : "");
	for (enum field i = SPEED; i < FIELDS_; i++)
		if (i != BACKUP && *fields->text[i] && used < LINE_MAX_)
			used += (size_t)snprintf(line + used, LINE_MAX_ - used, ", %s=%s", field_names[i], fields->text[i]);
}

int verb_set(const struct context *context, int argc, char **argv)
{
	struct score_edit change = { .what = EDIT_SET };
	struct fields fields = { 0 };
	char line[LINE_MAX_];
	int status;

	status = find(context, argv[0], &change.config);
	if (status != STATUS_OK)
		return status;
	fields_of(&change.config, &fields);
	for (int i = 1; status == STATUS_OK && i < argc; i++) {
		status = fields_set(&fields, argv[i]);
		change.hold |= strncmp(argv[i], "flags=", strlen("flags=")) == 0;
	}
	if (status != STATUS_OK)
		return status;
	fields_line(&change.config, &fields, line);
	status = read_line(change.config.name, line, &change.config);
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

int verb_dump(const struct context *context, int argc, char **argv)
{
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
