/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * hold.c: the verbs by which an administrator takes nodes out and puts them back:
 * down, up. All nodes are looked up before the first is changed.
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

static const char *arg_reason; /* NULL: not given */

/* ---- down ---- */

static void tell_held(const struct score_node *before, const struct score_node *now)
{
	const char *name = now->config.name;

	if (!(before->flags & BN_HOLD))
		print(stdout, "%s is held", name);
	else if (arg_reason && strcmp(before->detail, now->detail) != 0)
		print(stdout, "%s is already held; reason \"%s\" -> \"%s\"", name, before->detail, now->detail);
	else
		print(stdout, "%s is already held%s%s", name, *now->detail ? ": " : "", now->detail);
	if (now->busy > 0)
		print(stdout, "; %" PRIu32 " connection%s of it go%s on", now->busy, now->busy == 1 ? "" : "s",
			     now->busy == 1 ? "es" : "");
	(void)putchar('\n');
}

static int hold_node(const struct context *context, struct score *score, const struct score_node *node)
{
	char before[ACT_TEXT_MAX], after[ACT_TEXT_MAX];
	struct score_node now;
	int r = score_hold(score, node->config.name, arg_reason), status;

	if (r < 0 && r != -ENOENT)
		return complain_score(context, r);
	status = r == -ENOENT ? STATUS_NO_NODE : node_look(context, score, node->config.name, &now);
	if (status == STATUS_NO_NODE)
		complain("%s: no such node", node->config.name);
	if (status != STATUS_OK)
		return status;
	if (r == 0 || strcmp(node->detail, now.detail) != 0)
		act_tell("down", node->config.name, act_state(node, before), act_state(&now, after));
	tell_held(node, &now);
	return status;
}

/* After all are held. */
static int drain(const struct context *context, struct score *score, const struct score_node *nodes, size_t n)
{
	struct score_totals totals;

	if (score_totals(score, &totals) == 0 && totals.nodes_up == 0)
		print(stdout, "no node is up now: every connection waits\n");
	return drain_wait(context, score, nodes, n);
}

static int run_down(void *settings, int argc, char **argv)
{
	return node_arguments_each(settings, argc, argv, hold_node, drain);
}

/* ---- up ---- */

static int release_node(const struct context *context, struct score *score, const struct score_node *node)
{
	const char *name = node->config.name;
	char before[ACT_TEXT_MAX], after[ACT_TEXT_MAX];
	int r = score_unhold(score, name), status;
	struct score_node now;

	if (r < 0 && r != -ENOENT)
		return complain_score(context, r);
	status = r == -ENOENT ? STATUS_NO_NODE : node_look(context, score, name, &now);
	if (status == STATUS_NO_NODE)
		complain("%s: no such node", name);
	if (status != STATUS_OK)
		return status;
	if (r == 0)
		act_tell("up", name, act_state(node, before), act_state(&now, after));
	print(stdout, "%s %s", name, r > 0 ? "was not held" : "is no longer held");
	if (now.state != NODE_UP)
		print(stdout, "; it is %s%s%s%s%s", node_state_to_string(now.state), now.reason == REASON_NONE ? "" : ": ",
			     reason_to_string(now.reason), *now.detail ? ": " : "", now.detail);
	(void)putchar('\n');
	return STATUS_OK;
}

static int run_up(void *settings, int argc, char **argv)
{
	return node_arguments_each(settings, argc, argv, release_node, NULL);
}

/* ---- the options ---- */

static int set_reason(void *settings, const char *value)
{
	(void)settings;
	arg_reason = value;
	return is_printable(value) && strlen(value) <= NODE_DETAIL_MAX ? 0 : -EINVAL;
}

static const struct option_row rows[] = {
	{ "reason", 0, "TEXT", "why, for everybody who looks", NULL, "one line of at most 79 bytes", set_reason, NULL },
};

_Static_assert(NODE_DETAIL_MAX == 79, "as the row says");

static const struct option_set options = OPTION_SET(rows);

const struct verb verb_down = {
	.name = "down", .arguments = "NODE...", .also = "hold disable drain", .min = 1, .max = -1,
	.options = { &options, &drain_options }, .run = run_down,
	.help = "hold nodes: no new connections, present ones go on",
};

const struct verb verb_up = {
	.name = "up", .arguments = "NODE...", .also = "unhold enable release", .min = 1, .max = -1, .run = run_up,
	.help = "put held nodes back",
};
