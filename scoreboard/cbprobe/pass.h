/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * pass.h: a pass: a look at all nodes.
 */

#include <stdint.h>

#include "scoreboard.h"
#include "settings.h"

#define PASS_NAME_USEC UINT64_C(1000000)  /* then a node without an answer keeps its addresses */

/*
 * Checks every node once, and again if it fails, and notes the results in the
 * scoreboard. 0: done, whatever the results. 1: every check failed by this machine's
 * own fault, after a message; no node's health was changed. -errno: the pass could
 * not be made.
 */
int pass_run(struct score *score, const struct settings *settings);
