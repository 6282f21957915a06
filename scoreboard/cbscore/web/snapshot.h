/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * snapshot.h: a farm at one moment, in memory of its own, for what is shown to
 * other programs and on other machines: the metrics, the JSON, the page. It has
 * no addresses of clients, as readers of these may have no right to see them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scoreboard.h"

/* A node. The texts belong to the snapshot. */
struct snapshot_node {
	char *name;
	char *why;                   /* the reason's phrase and the words behind it; may be empty */
	uint32_t cores, limit, busy, free;
	uint32_t share;              /* as in struct score_node */
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
	uint32_t verbosity;          /* see score_set_verbosity() */
	struct snapshot_node *nodes; /* in list order */
	size_t n_nodes;
};

/* Copies the farm. 0 and *ret, which the caller ends with snapshot_clear(); or -errno, and *ret is empty. */
int snapshot_take(struct score *score, const char *farm, struct snapshot *ret);

/* Frees what the snapshot holds and empties it. */
void snapshot_clear(struct snapshot *snapshot);

/* The number of nodes in that state. */
size_t snapshot_count(const struct snapshot *snapshot, enum node_state state);
