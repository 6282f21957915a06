/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * one_node.h: the farm of one node that a test tool works on, and a clock that the tool moves. The linker (--wrap) puts
 * that clock in the place of the library's CLOCK_BOOTTIME, so that a test of a last microsecond does not depend on the
 * machine's load. Each function ends the tool, by MUST(), if its operation fails.
 */

#include <stdint.h>

#include "scoreboard.h"

/* What the clock says, in microseconds: 1,000 seconds when the tool begins. */
extern uint64_t clock_usec;

/* The scoreboard; the tool opens and closes it. */
extern struct score *score;

/* A connection of a client. */
extern const struct score_arrival arrival;

/* Returns a copy of the node: the last node of the list if there are several. */
struct score_node last_node(void);

/* Claims a slot for a new connection. Returns what score_claim() returns: 0 if *ret is the slot, else 1 or an error. */
int claim(struct score_slot *ret);
