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

/* Reads the node anew after a verb, and notes what has changed in the journal. r is the verb's outcome: 0: it has changed the
 * node's state; above 0: the node had that state. 0 and *ret; or -errno, which r may be already. */
static int look_again(struct score *score, const char *verb, const struct score_node *node, int r, struct score_node *ret)
{
	char before[ACT_TEXT_MAX], after[ACT_TEXT_MAX];
	int found = r < 0 ? r : node_look(score, node->config.name, ret);

	if (found < 0)
		return found;
	if (r == 0 || strcmp(node->detail, ret->detail) != 0)
		act_tell(verb, node->config.name, act_state(node, before), act_state(ret, after));
	return 0;
}

/* ---- down ---- */

static void tell_held(const struct score_node *before, const struct score_node *now)
{
	const char *name = now->config.name;

	if (!(before->flags & BN_HOLD))
		print(stdout, "%s is held", name);
	else if (arg_reason && strcmp(before->detail, now->detail) != 0)
		print(stdout, "%s is already held; reason %s%s%s -> \"%s\"", name, *before->detail ? "\"" : "",
		      *before->detail ? before->detail : "not set", *before->detail ? "\"" : "", now->detail);
	else
		print(stdout, "%s is already held%s%s", name, *now->detail ? ": " : "", now->detail);
	drain_tell_busy(now->busy);
	(void)putchar('\n');
}

static int hold_node(const struct context *context, struct score *score, const struct score_node *node)
{
	struct score_node now;
	int r = look_again(score, "down", node, score_hold(score, node->config.name, arg_reason), &now);

	(void)context;
	if (r == 0)
		tell_held(node, &now);
	return r;
}

/* After all are held. */
static int drain(const struct context *context, struct score *score, const struct score_node *nodes, size_t n)
{
	struct score_totals totals;

	if (score_totals(score, &totals) == 0 && totals.nodes_up == 0)
		print(stdout, "no node is up now: every connection waits\n");
	return drain_wait(context, score, nodes, n);
}

static int down(const struct context *context, struct score *score)
{
	return node_arguments_each(context, score, context->n_arguments, hold_node, drain);
}

/* ---- up ---- */

static int release_node(const struct context *context, struct score *score, const struct score_node *node)
{
	int released = score_unhold(score, node->config.name);
	struct score_node now;
	int r = look_again(score, "up", node, released, &now);

	(void)context;
	if (r < 0)
		return r;
	print(stdout, "%s %s", node->config.name, released > 0 ? "was not held" : "is no longer held");
	if (now.state != NODE_UP)
		print(stdout, "; it is %s%s%s%s%s", node_state_to_string(now.state), now.reason == REASON_NONE ? "" : ": ",
		      reason_to_string(now.reason), *now.detail ? ": " : "", now.detail);
	(void)putchar('\n');
	return STATUS_OK;
}

static int up(const struct context *context, struct score *score)
{
	return node_arguments_each(context, score, context->n_arguments, release_node, NULL);
}

/* ---- the options ---- */

static int set_reason(void *settings, const char *value)
{
	(void)settings;
	arg_reason = value;
	return is_printable(value) && strlen(value) <= NODE_DETAIL_MAX ? 0 : -EINVAL;
}

static const struct option_row rows[] = {
	{ "reason", 0, "TEXT", "why, shown by list and status", NULL, "one line of at most 79 bytes", set_reason, NULL },
};

_Static_assert(NODE_DETAIL_MAX == 79, "as the row says");

static const struct option_set options = OPTION_SET(rows);

const struct action verb_down = {
	.verb = {
		.name = "down", .arguments = "NODE...", .also = "hold disable drain", .min = 1, .max = -1,
		.options = { &options, &drain_options },
		.help = "hold nodes: no new connections, present ones go on",
	},
	.read = drain_read, .change = down,
};

const struct action verb_up = {
	.verb = {
		.name = "up", .arguments = "NODE...", .also = "unhold enable release", .min = 1, .max = -1,
		.help = "put held nodes back",
	},
	.change = up,
};
