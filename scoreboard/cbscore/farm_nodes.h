/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm_nodes.h: all nodes of the farm, in memory of the caller's own, for verbs
 * that look names up or compare.
 */

#include "scoreboard.h"

struct farm_nodes {
	struct score_node *nodes; /* in the order of the list */
	size_t n, room;
};

/* Copies the nodes. 0 and *ret, which the caller ends with farm_nodes_clear(); or -errno, and *ret is empty. */
int farm_nodes_copy(struct score *score, struct farm_nodes *ret);

/* Frees the nodes. */
void farm_nodes_clear(struct farm_nodes *farm);
