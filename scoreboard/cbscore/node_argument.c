/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "node_argument.h"

#include <string.h>
#include <strings.h>

struct wanted {
	const char *word;
	struct score_node *ret;
	unsigned hosts;
	bool exact;
};

/* Whether word is the host, as it is or, IPv6, in brackets. */
static bool is_host(const char *word, const char *host)
{
	size_t length = strlen(host);

	if (strcasecmp(word, host) == 0)
		return true;
	return word[0] == '[' && strncasecmp(word + 1, host, length) == 0 && strcmp(word + 1 + length, "]") == 0;
}

static int match(const struct score_node *node, void *arg)
{
	struct wanted *wanted = arg;

	wanted->exact = strcasecmp(node->config.name, wanted->word) == 0;
	if (wanted->exact || is_host(wanted->word, node->config.host)) {
		*wanted->ret = *node;
		wanted->hosts++;
	}
	return wanted->exact;
}

int node_argument_find(const struct context *context, struct score *score, const char *word, struct score_node *ret)
{
	struct wanted wanted = { .word = word, .ret = ret };
	int r = score_each_node(score, match, &wanted);

	if (r < 0)
		return complain_score(context, r);
	if (wanted.exact || wanted.hosts == 1)
		return STATUS_OK;
	if (wanted.hosts)
		complain("%s: %u nodes have this host: expected host:port", word, wanted.hosts);
	else
		complain("%s: no such node", word);
	return STATUS_NO_NODE;
}
