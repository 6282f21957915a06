/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * nodelist.c: any bytes as a node list. A node that is accepted can be written as
 * a line that reads as the same node. An error is one line fit for a terminal.
 * Input that begins with "+" is lines of host, port and cores in turn, for
 * nodelist_add().
 */

#include "list/nodelist.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void check_errors(const struct nodelist *list)
{
	for (size_t i = 0; i < list->n_errors; i++) {
		const char *p = list->errors[i];

		MUST(*p);
		for (; *p; p++)
			MUST(isprint((unsigned char)*p));
	}
}

static void check_node(const struct node_config *node)
{
	char line[1024], name[NODE_NAME_MAX + 1], again[1024];
	int n = node_config_format(node, line, sizeof(line));
	struct nodelist list;
	const struct node_config *copy;

	MUST(n > 0 && (size_t)n < sizeof(line));
	MUST(!strchr(line, '\n'));
	node_name(node->host, node->port, name);
	MUST(strcmp(name, node->name) == 0);

	MUST(nodelist_parse("again", line, strlen(line), &list) == 0);
	MUST(list.n_errors == 0 && list.n_nodes == 1);
	copy = &list.nodes[0];
	MUST(node_config_equal(node, copy));
	MUST(strcmp(node->name, copy->name) == 0 && strcmp(node->host, copy->host) == 0);
	MUST(node->port == copy->port && node->cores == copy->cores && node->flags == copy->flags);
	MUST(node->backup == copy->backup && node->silent == copy->silent && strcmp(node->check, copy->check) == 0);
	MUST(node->proxy == copy->proxy && node->check_proxy == copy->check_proxy);
	MUST(fabs(node->speed - copy->speed) <= node->speed * 1e-14);
	(void)node_config_format(copy, again, sizeof(again));
	MUST(strcmp(line, again) == 0);
	nodelist_clear(&list);
}

static void check_list(const struct nodelist *list)
{
	check_errors(list);
	for (size_t i = 0; i < list->n_nodes; i++)
		check_node(&list->nodes[i]);
	for (size_t i = 1; list->n_errors == 0 && i < list->n_nodes; i++)
		MUST(strcmp(list->nodes[i - 1].name, list->nodes[i].name) != 0);
}

static void add_parts(char *text)
{
	struct nodelist list = { 0 };

	while (text) {
		const char *parts[3] = { "", "", "" };
		size_t n_nodes = list.n_nodes, n_errors = list.n_errors;
		int r;

		for (unsigned i = 0; text && i < 3; i++)
			parts[i] = strsep(&text, "\n");
		r = nodelist_add(&list, "argument", parts[0], parts[1], parts[2]);
		MUST(r == 0 || r == 1);
		MUST(list.n_nodes == n_nodes + (r == 0));
		MUST(r == 0 ? list.n_errors == n_errors : list.n_errors > n_errors);
	}
	check_list(&list);
	nodelist_clear(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nodelist list;

	if (size > 0 && data[0] == '+') {
		char *text = strndup((const char *)data + 1, size - 1);

		MUST(text);
		add_parts(text);
		free(text);
		return 0;
	}
	MUST(nodelist_parse("/etc/corebalance/nodes.conf", (const char *)data, size, &list) == 0);
	check_list(&list);
	nodelist_clear(&list);
	MUST(!list.nodes && !list.errors && list.n_nodes == 0 && list.n_errors == 0);
	return 0;
}
