/* SPDX-License-Identifier: GPL-3.0-or-later */

/* roundrobin.c: the nodes take turns; the farm's record remembers which node is next. */

#include "policy.h"

#include "store/store.h"

static int choose(struct store *store, struct farm *farm, const struct policy_request *request, uint32_t *ret)
{
	int r = index_first_free(store, farm, farm->cursor, request->primary, ret);

	if (r == 1)
		r = index_first_free(store, farm, 0, request->primary, ret);
	if (r == 0) {
		farm->cursor = *ret + 1;
		store_touch(store, &farm->cursor, sizeof(farm->cursor));
	}
	return r;
}

static int compare(const struct score_candidate *a, const struct score_candidate *b)
{
	return compare_more(b->turn, a->turn);
}

static const char *why_behind(const struct score_candidate *node, const struct score_candidate *chosen)
{
	(void)node;
	(void)chosen;
	return "its turn comes later";
}

const struct policy policy_roundrobin = {
	.name = "roundrobin",
	.rule = "the next in the list after the node that was used last",
	.choose = choose, .compare = compare, .why_behind = why_behind,
};
