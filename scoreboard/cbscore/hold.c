/* SPDX-License-Identifier: GPL-3.0-or-later */

/* hold.c: the verbs by which an administrator takes a node out and puts it back: down, up. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "verbs.h"

/* A node as the administrator calls it: its name, or its host if only one node has that. */
struct wanted {
	const char *word;
	char name[NODE_NAME_MAX + 1];
	unsigned hosts;
	bool exact;
};

/* Whether word is the host, as it is or, IPv6, in brackets. */
static bool is_host(const char *word, const char *host)
{
	size_t length = strlen(host);

	if (strcmp(word, host) == 0)
		return true;
	return word[0] == '[' && strncmp(word + 1, host, length) == 0 && strcmp(word + 1 + length, "]") == 0;
}

static int match(const struct score_node *node, void *arg)
{
	struct wanted *wanted = arg;

	if (strcmp(node->config.name, wanted->word) == 0) {
		(void)memcpy(wanted->name, node->config.name, sizeof(wanted->name));
		wanted->exact = true;
		return 1;
	}
	if (is_host(wanted->word, node->config.host)) {
		(void)memcpy(wanted->name, node->config.name, sizeof(wanted->name));
		wanted->hosts++;
	}
	return 0;
}

static int find_node(const struct context *context, struct score *score, struct wanted *wanted)
{
	int r = score_each_node(score, match, wanted);

	if (r < 0)
		return complain_score(context, r);
	if (wanted->exact || wanted->hosts == 1)
		return STATUS_OK;
	complain(wanted->hosts ? "%s: %u nodes have this host: expected host:port" : "%s: no such node",
		 wanted->word, wanted->hosts);
	return STATUS_NO_NODE;
}

/* The rest of the line, as one text. Whether it fits and is fit to be shown. */
static bool join_words(int argc, char **argv, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (int i = 0; i < argc && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "", argv[i]);
	for (const char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p) && (unsigned char)*p < 0x80)
			return false;
	return used < size;
}

static int set_hold(const struct context *context, const char *word, bool hold, const char *detail)
{
	struct wanted wanted = { .word = word };
	struct score *score;
	int r, status;

	status = context_open(context, &score);
	if (status != STATUS_OK)
		return status;
	status = find_node(context, score, &wanted);
	if (status == STATUS_OK) {
		r = hold ? score_hold(score, wanted.name, detail) : score_unhold(score, wanted.name);
		if (r == -ENOENT) {
			complain("%s: no such node", wanted.name);
			status = STATUS_NO_NODE;
		} else if (r < 0) {
			status = complain_score(context, r);
		} else {
			(void)printf(hold ? "%s is %sheld\n" : r ? "%s was not %sheld\n" : "%s is %sno longer held\n",
				     wanted.name, hold && r ? "already " : "");
		}
	}
	(void)score_close(score);
	return status;
}

int verb_down(const struct context *context, int argc, char **argv)
{
	char detail[NODE_DETAIL_MAX + 1];

	if (!join_words(argc - 1, argv + 1, detail, sizeof(detail)))
		return complain_usage("down: reason: expected one line of at most %d bytes", NODE_DETAIL_MAX);
	return set_hold(context, argv[0], true, detail);
}

int verb_up(const struct context *context, int argc, char **argv)
{
	(void)argc;
	return set_hold(context, argv[0], false, NULL);
}
