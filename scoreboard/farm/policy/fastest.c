/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fastest.c: the fastest node with a free slot; the root of the index knows it. */

#include <stddef.h>

#include "policy.h"

static int choose(struct store *store, struct farm *farm, bool primary, uint32_t *ret)
{
	(void)store;
	(void)primary;
	*ret = farm->root.fastest_at;
	return 0;
}

static int compare(const struct score_candidate *a, const struct score_candidate *b)
{
	int r = compare_more(candidate_speed(a), candidate_speed(b));

	return r ? r : compare_more(candidate_share(a), candidate_share(b));
}

static const char *why_behind(const struct score_candidate *node, const struct score_candidate *chosen)
{
	return candidate_speed(node) < candidate_speed(chosen) ? "slower" :
	       candidate_share(node) < candidate_share(chosen) ? "as fast, less of it is free" : NULL;
}

const struct policy policy_fastest = {
	.name = "fastest",
	.rule = "the highest speed; then the largest share of free cores; then the order of the list",
	.choose = choose, .compare = compare, .why_behind = why_behind,
};
