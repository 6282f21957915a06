/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * policy.h: what a policy is: how it chooses a node for a connection, and how
 * it explains the choice.
 */

#include <stdbool.h>
#include <stdint.h>

#include "records/farm.h"
#include "records/index.h"
#include "scoreboard.h"

struct policy {
	const char *name;
	const char *rule;      /* what it prefers, as a phrase of explain */

	/*
	 * In a section: the position of the node for the next connection. Some node has a free slot. With primary, a
	 * node that is no backup has a free slot, and only such nodes are looked at. Changes are staged. 0, 1 if there
	 * is none, or -errno.
	 */
	int (*choose)(struct store *store, struct farm *farm, bool primary, uint32_t *ret);

	/* For explain: below 0 if a comes before b, above 0 if b does, 0 if the order of the list decides. */
	int (*compare)(const struct score_candidate *a, const struct score_candidate *b);

	/* For explain: why a node that could be used comes behind the chosen node. */
	const char *(*why_behind)(const struct score_candidate *node, const struct score_candidate *chosen);
};

/* policy_fastest and all others. */
#define POLICY_DECLARE(NAME, name) extern const struct policy policy_##name;
POLICIES(POLICY_DECLARE)

/* The policy of that number; fastest if there is none such. Never NULL. */
const struct policy *policy_get(enum score_policy policy);

/* A speed in thousandths, and a share of free cores where 2^31 is all of them, both as the index has them. */
uint64_t candidate_speed(const struct score_candidate *candidate);
uint64_t candidate_share(const struct score_candidate *candidate);

/* Below 0 if a is more than b, above 0 if it is less. */
int compare_more(uint64_t a, uint64_t b);
