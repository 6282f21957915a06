/* SPDX-License-Identifier: GPL-3.0-or-later */

/* hold.c: the verbs by which an administrator takes a node out and puts it back: down, up. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node_argument.h"
#include "verbs.h"

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
	struct score_node node;
	struct score *score;
	int r, status;

	status = context_open(context, &score);
	if (status != STATUS_OK)
		return status;
	status = node_argument_find(context, score, word, &node);
	if (status == STATUS_OK) {
		r = hold ? score_hold(score, node.config.name, detail) : score_unhold(score, node.config.name);
		if (r == -ENOENT) {
			complain("%s: no such node", node.config.name);
			status = STATUS_NO_NODE;
		} else if (r < 0) {
			status = complain_score(context, r);
		} else {
			(void)printf(hold ? "%s is %sheld\n" : r ? "%s was not %sheld\n" : "%s is %sno longer held\n",
				     node.config.name, hold && r ? "already " : "");
		}
	}
	(void)score_close(score);
	return status;
}

static int run_down(void *settings, int argc, char **argv)
{
	char detail[NODE_DETAIL_MAX + 1];

	if (!join_words(argc - 1, argv + 1, detail, sizeof(detail)))
		return complain_usage("reason: expected one line of at most %d bytes", NODE_DETAIL_MAX);
	return set_hold(settings, argv[0], true, detail);
}

static int run_up(void *settings, int argc, char **argv)
{
	(void)argc;
	return set_hold(settings, argv[0], false, NULL);
}

const struct verb verb_down = {
	.name = "down", .arguments = "NODE [REASON...]", .also = "hold disable drain", .min = 1, .max = -1, .run = run_down,
	.help = "hold a node: no new connections, present ones go on",
};

const struct verb verb_up = {
	.name = "up", .arguments = "NODE", .also = "unhold enable release", .min = 1, .max = 1, .run = run_up,
	.help = "put a held node back",
};
