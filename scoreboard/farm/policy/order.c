/* SPDX-License-Identifier: GPL-3.0-or-later */

/* order.c: the first node of the list with a free slot, as Core Balance chose. */

#include "policy.h"

static int choose(struct store *store, struct farm *farm, const struct policy_request *request, uint32_t *ret)
{
	return index_first_free(store, farm, 0, request->primary, ret);
}

static int compare(const struct score_candidate *a, const struct score_candidate *b)
{
	(void)a;
	(void)b;
	return 0;
}

static const char *why_behind(const struct score_candidate *node, const struct score_candidate *chosen)
{
	(void)node;
	(void)chosen;
	return "later in the list";
}

const struct policy policy_order = {
	.name = "order",
	.rule = "the first of the list",
	.choose = choose, .compare = compare, .why_behind = why_behind,
};
