/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * explain.h: a line of what explain shows: a node, and what the policy thinks
 * of it.
 */

#include "scoreboard.h"

struct explain_row {
	struct score_node node;
	uint32_t position;     /* in the list */
	bool usable;           /* a connection could get it now */
	uint32_t rank;         /* 1 is what a connection gets; 0: not usable */
	char why[256];
};
