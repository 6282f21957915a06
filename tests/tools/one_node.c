/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "one_node.h"

#include "must.h"
#include "system/timespan.h"

uint64_t clock_usec = 1000 * USEC_PER_SEC;
struct score *score;
const struct score_arrival arrival = { .client = "10.0.0.1:1" };

uint64_t __wrap_now_boottime(void);
uint64_t __wrap_now_boottime(void)
{
	return clock_usec;
}

static int copy_node(const struct score_node *node, void *arg)
{
	*(struct score_node *)arg = *node;
	return 0;
}

struct score_node last_node(void)
{
	struct score_node node;

	MUST(score_each_node(score, copy_node, &node) == 0);
	return node;
}

int claim(struct score_slot *ret)
{
	struct score_target target;

	return score_claim(score, &arrival, ret, &target, NULL);
}
