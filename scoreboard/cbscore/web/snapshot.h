/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * snapshot.h: a farm as it is at one moment, in memory of its own, for
 * whatever shows it to other programs and to people far away: the metrics, the
 * JSON, the page. Client addresses are not in it, since readers of these need
 * no right to see them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scoreboard.h"

/* One node. The texts belong to the snapshot. */
struct snapshot_node {
	char *name;
	char *why;                   /* the reason's phrase and the words behind it; may be empty */
	uint32_t cores, limit, busy, free;
	enum node_state state;
	bool backup, pinned;
	double speed;
	uint64_t since_usec;         /* of the state, CLOCK_REALTIME */
	uint64_t served, failed, bytes_in, bytes_out;
};

struct snapshot {
	char *farm;                  /* its name */
	uint64_t taken_usec;         /* CLOCK_REALTIME */
	struct score_totals totals;
	struct score_history history;
	struct snapshot_node *nodes; /* in list order */
	size_t n_nodes;
};

/* Copies the farm. 0 and *ret, to be ended by snapshot_clear(); or -errno, and *ret is empty. */
int snapshot_take(struct score *score, const char *farm, struct snapshot *ret);

/* Frees what the snapshot holds and empties it. */
void snapshot_clear(struct snapshot *snapshot);

/* How many nodes are in that state. */
size_t snapshot_count(const struct snapshot *snapshot, enum node_state state);
