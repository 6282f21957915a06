/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * explain.h: a row of the table of explain: a node, and how the policy rates it.
 */

#include "scoreboard.h"

struct explain_row {
	struct score_node node; /* must be the first member: columns of nodes are columns of rows, see columns.c */
	uint32_t position;     /* in the list */
	bool usable;           /* a connection could get the node now */
	uint32_t rank;         /* 1: the node that a connection gets; 0: not usable */
	char why[256];
};
