/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * pass.h: a pass: a look at all nodes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "scoreboard.h"
#include "verdict.h"

#define PASS_NAME_USEC UINT64_C(1000000)  /* then a node without an answer keeps its addresses */
#define PASS_RETRY_USEC UINT64_C(1000000) /* from a failure to the next try */

struct pass_options {
	struct verdict_rules rules;
	uint64_t timeout_usec; /* of each stage of a check, for each address */
	uint64_t jitter_usec;  /* each node's check begins at a random time within this */
	uint32_t jobs;         /* how many checks at the same time */
	bool verbose;          /* see pass_is_verbose() */
};

/* Whether the result of each check is told: the options or the farm's verbosity say so. */
bool pass_is_verbose(const struct score *score, const struct pass_options *options);

/*
 * Checks every node once, and again if it fails, and notes the results in the
 * scoreboard. 0: done, whatever the results. 1: every check failed by this machine's
 * own fault, after a message; no node's health was changed. -errno: the pass could
 * not be made.
 */
int pass_run(struct score *score, const struct pass_options *options);
