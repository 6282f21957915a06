/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fastest.c: the node of which one more core is worth the most, and of nodes that
 * are worth about as much the node with the largest share of free cores. The root
 * of the index knows it.
 */

#include <stddef.h>

#include "policy.h"

static int choose(struct store *store, struct farm *farm, const struct policy_request *request, uint32_t *ret)
{
	(void)store;
	(void)request;
	*ret = index_fastest(&farm->root);
	return 0;
}

static uint32_t steps(double worth)
{
	return index_worth_steps((uint64_t)(worth * 1000000 + 0.5));
}

/* How many steps the node is behind the best; nodes that count as equal to the best are not behind. */
static uint32_t behind(const struct score_candidate *candidate)
{
	uint32_t away = steps(candidate->best) - steps(score_worth(candidate->node));

	return away < WORTH_STEPS ? 0 : away;
}

static int compare(const struct score_candidate *a, const struct score_candidate *b)
{
	int r = compare_more(behind(b), behind(a)) ?: compare_more(candidate_share(a), candidate_share(b));

	return r ? r : compare_more(steps(score_worth(a->node)), steps(score_worth(b->node)));
}

static const char *why_behind(const struct score_candidate *node, const struct score_candidate *chosen)
{
	if (behind(node) > 0)
		return node->node->speed >= score_worth(chosen->node) ? "slower, as half of its cores are busy" : "slower";
	if (candidate_share(node) < candidate_share(chosen))
		return "as fast, less of it is free";
	return steps(score_worth(node->node)) < steps(score_worth(chosen->node)) ? "as much free, a little slower" : NULL;
}

const struct policy policy_fastest = {
	.name = "fastest",
	.rule = "the highest speed at the present load, and of speeds within a tenth the largest share of free cores; then "
		"the order of the list",
	.choose = choose, .compare = compare, .why_behind = why_behind,
};
