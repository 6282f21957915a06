/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * tally.h: what a pass finds: how many nodes ended in which way, and whether this
 * machine has a network at all. A failure in which no packet could leave this
 * machine is the node's only if another machine answered in the same pass.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbprobe/checks/check.h"

struct tally {
	size_t up, down;          /* nodes that answered; nodes that did not */
	size_t unreached, unable; /* nodes that ended with OUTCOME_UNREACHED, OUTCOME_UNABLE */
	const struct probe *first_unreached, *first_unable; /* an example of each: the first in the roster's order */
	bool reached_out;         /* another machine answered, if only to refuse: there is a network */
};

/* A node has passed its check. */
void tally_up(struct tally *tally, const struct probe *probe);

/* A try has failed, for the probe's reason. It may be followed by another try. */
void tally_failure(struct tally *tally, const struct probe *probe);

/* The checks of a node have ended with a failure. certain: the node's own, and not perhaps this machine's. */
void tally_down(struct tally *tally, const struct probe *probe, bool certain);

/* The check of a node has ended by this machine's fault. */
void tally_unable(struct tally *tally, const struct probe *probe);

/*
 * At the end of a pass over n nodes: says (news.h) which nodes could not be checked from here.
 * 0; or 1: no node could be checked.
 */
int tally_tell(const struct tally *tally, size_t n);

/* Says (say.h) the line of a verbose pass over n nodes, which took usec microseconds. */
void tally_sum_up(const struct tally *tally, size_t n, uint64_t usec);
