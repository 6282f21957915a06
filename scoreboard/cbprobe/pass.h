/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * pass.h: one look at all nodes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "scoreboard.h"
#include "verdict.h"

#define PASS_NAME_USEC UINT64_C(1000000)  /* after which a node whose name is not answered is checked where it was */
#define PASS_RETRY_USEC UINT64_C(1000000) /* from a failure to the next try */

struct pass_options {
	struct verdict_rules rules;
	uint64_t timeout_usec; /* of each stage of a check, for each address */
	uint64_t jitter_usec;  /* each node's check begins somewhere within so long */
	uint32_t jobs;         /* how many checks at once */
	bool verbose;
};

/*
 * Checks every node once, those that fail again, and puts down what was found.
 * 0: done, whatever it was. 1: every check failed by this machine's own fault,
 * which was said; no node's health was changed. -errno: the pass could not be made.
 */
int pass_run(struct score *score, const struct pass_options *options);
