/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * verdict.h: from a check's result to the scoreboard, and from a change there
 * to an event.
 */

#include "cbprobe/checks/probe.h"

/* How many results in a row change a node's state, and when else it changes. */
struct verdict_rules {
	uint32_t rise, fall;
	uint64_t down_after_usec; /* a failure so long after the last success takes it down, too; 0: off */
	uint32_t flaps;           /* going down so often ... */
	uint64_t flap_usec;       /* ... within so long keeps it down; flaps 0: off */
};

/* Whether a node that was up and has just failed is to be tried again in this pass: after a first failure, once, unless
 * that failure alone decides. */
bool verdict_wants_more(const struct verdict_rules *rules, const struct probe *probe);

/* Notes that the node answered, with the probe's detail as a warning. 0; 1: the node went up by that; or -errno. */
int verdict_success(struct score *score, const struct verdict_rules *rules, struct probe *probe);

/* Notes that the node failed, and why; detail (or NULL) is said with the reason. 0; 1: the node went down by that; or
 * -errno. */
int verdict_failure(struct score *score, const struct verdict_rules *rules, struct probe *probe,
		    enum node_reason reason, const char *detail);
