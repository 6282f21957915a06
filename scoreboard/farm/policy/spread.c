/* SPDX-License-Identifier: GPL-3.0-or-later */

/* spread.c: the node with the most speed free; the root of the index knows it. */

#include <stddef.h>

#include "policy.h"

static int choose(struct store *store, struct farm *farm, const struct policy_request *request, uint32_t *ret)
{
	(void)store;
	(void)request;
	*ret = farm->root.spread_at;
	return 0;
}

static uint64_t free_speed(const struct score_candidate *candidate)
{
	return candidate_share(candidate) * candidate_speed(candidate);
}

static int compare(const struct score_candidate *a, const struct score_candidate *b)
{
	return compare_more(free_speed(a), free_speed(b));
}

static const char *why_behind(const struct score_candidate *node, const struct score_candidate *chosen)
{
	return free_speed(node) < free_speed(chosen) ? "less speed is free" : NULL;
}

const struct policy policy_spread = {
	.name = "spread",
	.rule = "the largest share of free cores times speed; then the order of the list",
	.choose = choose, .compare = compare, .why_behind = why_behind,
};
