/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "node_argument.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "farm_nodes.h"

#define NEAREST_MAX 3u

/* Whether word is the host, or an IPv6 host in brackets. */
static bool is_host(const char *word, const char *host)
{
	size_t length = strlen(host);

	if (strcasecmp(word, host) == 0)
		return true;
	return word[0] == '[' && strncasecmp(word + 1, host, length) == 0 && strcmp(word + 1 + length, "]") == 0;
}

static const char *name_of(const void *words, size_t i)
{
	const struct farm_nodes *farm = words;

	return i < farm->n ? farm->nodes[i].config.name : NULL;
}

static void complain_unknown(const struct farm_nodes *farm, const char *word)
{
	char near[NEAREST_MAX * (NODE_NAME_MAX + 2) + 1];
	const char *meant;
	size_t used = 0;
	unsigned n = 0;

	*near = '\0';
	for (size_t i = 0; i < farm->n && n < NEAREST_MAX; i++) {
		const char *name = farm->nodes[i].config.name;

		if (*word && strcasestr(name, word))
			used += (size_t)snprintf(near + used, sizeof(near) - used, "%s%s", n++ ? ", " : "", name);
	}
	meant = n == 0 ? nearest(word, name_of, farm) : NULL;
	if (n > 0 || meant)
		complain("%s: no such node; nearest: %s", word, n > 0 ? near : meant);
	else
		complain("%s: no such node; cbscore list shows them", word);
}

/* The node that word names; or NULL, and the error was told. */
static const struct score_node *find(const struct farm_nodes *farm, const char *word)
{
	const struct score_node *found = NULL;
	unsigned hosts = 0;

	for (size_t i = 0; i < farm->n; i++) {
		const struct score_node *node = &farm->nodes[i];

		if (strcasecmp(node->config.name, word) == 0)
			return node;
		if (is_host(word, node->config.host)) {
			found = node;
			hosts++;
		}
	}
	if (hosts == 1)
		return found;
	if (hosts > 1)
		complain("%s: %u nodes have this host: expected host:port", word, hosts);
	else
		complain_unknown(farm, word);
	return NULL;
}

/* Finds the nodes that n words name, so that a verb knows all before it changes any. STATUS_OK and *ret, n nodes in the
 * order of the words, which the caller frees; STATUS_NO_NODE: every word that names no node was told with the most
 * similar names; or -errno. */
static int find_all(struct score *score, int n, char **words, struct score_node **ret)
{
	struct farm_nodes farm;
	int status = STATUS_OK, r = farm_nodes_copy(score, &farm);

	*ret = r < 0 ? NULL : calloc((size_t)n + 1, sizeof(**ret));
	if (!*ret)
		return r < 0 ? r : -ENOMEM;
	for (int i = 0; i < n; i++) {
		const struct score_node *node = find(&farm, words[i]);

		if (node)
			(*ret)[i] = *node;
		else
			status = STATUS_NO_NODE;
	}
	farm_nodes_clear(&farm);
	return status;
}

int node_arguments_each(const struct context *context, struct score *score, int n, node_argument_each *each,
			node_argument_after *after)
{
	struct score_node *nodes;
	int r = find_all(score, n, context->arguments, &nodes);

	for (int i = 0; r == STATUS_OK && i < n; i++) {
		r = each(context, score, &nodes[i]);
		if (r == -ENOENT)
			r = complain_no_node(nodes[i].config.name);
	}
	if (r == STATUS_OK && after)
		r = after(context, score, nodes, (size_t)n);
	free(nodes);
	return r;
}

struct wanted {
	const char *name;
	struct score_node *ret;
};

static int is_wanted(const struct score_node *node, void *arg)
{
	struct wanted *wanted = arg;

	if (strcmp(node->config.name, wanted->name) != 0)
		return 0;
	*wanted->ret = *node;
	return 1;
}

int node_look(struct score *score, const char *name, struct score_node *ret)
{
	struct wanted wanted = { .name = name, .ret = ret };
	int r = score_each_node(score, is_wanted, &wanted);

	return r < 0 ? r : r > 0 ? 0 : -ENOENT;
}
