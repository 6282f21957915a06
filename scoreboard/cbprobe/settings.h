/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * settings.h: how nodes are checked, as the command line says it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "scoreboard.h"
#include "verdict.h"

#define RETRY_USEC UINT64_C(1000000) /* from a failure to the next try */

struct settings {
	struct verdict_rules rules;
	uint64_t timeout_usec; /* of each stage of a check, for each address */
	uint64_t jitter_usec;  /* each node's check begins at a random time within this */
	uint32_t jobs;         /* how many checks at the same time */
	bool verbose;          /* see settings_are_verbose() */
};

/* Whether the result of each check is told: the settings or the farm's verbosity say so. */
static inline bool settings_are_verbose(const struct settings *settings, const struct score *score)
{
	return settings->verbose || score_verbosity(score) >= SCORE_VERBOSITY_MORE;
}
