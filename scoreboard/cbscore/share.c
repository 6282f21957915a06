/* SPDX-License-Identifier: GPL-3.0-or-later */

/* share.c: the verb share: which part of each node's cores is this gateway's, where several gateways share a farm. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "act.h"
#include "system/printable.h"
#include "verbs.h"

struct sum {
	uint64_t cores, shares;
	uint32_t nodes;
	uint32_t without;            /* nodes of which no core is this gateway's */
};

static int add_node(const struct score_node *node, void *arg)
{
	struct sum *sum = arg;

	if (node->state == NODE_DRAINING)
		return 0;
	sum->nodes++;
	sum->cores += node->config.cores;
	sum->shares += share_of(node->share, node->config.cores);
	sum->without += node->share == 0;
	return 0;
}

/* Tells how much of the farm that is. 0 or -errno. */
static int tell_sum(struct score *score)
{
	struct score_totals totals;
	struct sum sum = { 0 };
	int r = score_totals(score, &totals) ?: score_each_node(score, add_node, &sum);

	if (r < 0)
		return r;
	if (totals.lapsed) {
		print(stdout, ": the lease is over, and no slot is given out\n");
		return 0;
	}
	print(stdout, ": %" PRIu64 " of %" PRIu64 " core%s of %" PRIu32 " node%s", sum.shares, sum.cores,
	      sum.cores == 1 ? "" : "s", sum.nodes, sum.nodes == 1 ? "" : "s");
	if (sum.without > 0)
		print(stdout, "; of %" PRIu32 " node%s none", sum.without, sum.without == 1 ? "" : "s");
	print(stdout, "\n");
	return 0;
}

static int tell_share(const struct context *context, struct score *score)
{
	char text[SPLIT_TEXT_MAX];
	struct split split;
	int r = score_get_split(score, &split);

	(void)context;
	if (r < 0)
		return r;
	print(stdout, "share %s", split_format(&split, text));
	return tell_sum(score);
}

static struct split wanted;

static int read_share(const struct context *context)
{
	if (context->n_arguments > 0 && split_parse(context->arguments[0], &wanted) < 0)
		return complain_usage("\"%s\": expected " SPLIT_SYNTAX, context->arguments[0]);
	return STATUS_OK;
}

static int set_share(const struct context *context, struct score *score)
{
	char old[SPLIT_TEXT_MAX], new[SPLIT_TEXT_MAX];
	struct split before = { .parts = 0 };
	int r = score_get_split(score, &before) ?: score_split(score, &wanted, true);

	if (r == -EBUSY) {
		complain("%s: cbshare has a lease of this farm's cores, which is not over: stop cbshare first",
			 context->farm.scoreboard);
		return STATUS_FAILED;
	}
	if (r < 0)
		return r;
	(void)split_format(&before, old);
	(void)split_format(&wanted, new);
	if (before.part == wanted.part && before.parts == wanted.parts) {
		print(stdout, "share is %s already", new);
	} else {
		act_tell("share", NULL, old, new);
		print(stdout, "share %s -> %s", old, new);
	}
	return tell_sum(score);
}

const struct action verb_share = {
	.verb = {
		.name = "share", .arguments = "[PART/PARTS|leased|none]", .also = "split gateway", .max = 1,
		.help = "which part of each node's cores is this gateway's",
	},
	.read = read_share, .look = tell_share, .change = set_share,
};
