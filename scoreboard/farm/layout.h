/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * layout.h: changes what the farm's nodes are, by steps. Each step is a section
 * or a transaction that touches few records however large the farm is, so that no
 * process waits long for the lock. After each step the scoreboard is whole: a
 * process that is killed between two steps leaves a farm that is as good as
 * another, and the next load of the list goes on from there.
 *
 * A node that comes stands behind all others until layout_arrange(). A node that
 * goes is first marked as draining, moves behind all others when it has no
 * connection left, and is removed there.
 */

#include <stdint.h>

#include "records/index.h"
#include "records/node.h"
#include "section.h"
#include "system/resolve.h"

/* A node that is to come. */
struct layout_new {
	const struct node_config *config;
	const struct resolve_request *resolved;
	uint32_t id;                  /* set when it is there */
};

/*
 * Adds nodes behind all others, some in each transaction. *next_id is the farm's
 * next_id when the caller found that it has none of them (0: it had no node at
 * all), and is kept up. *done: how many are there, also after an error. Waiters
 * get their slots. 0; -ESTALE: other nodes have come meanwhile; or -errno.
 */
int layout_append(struct score *s, struct layout_new *nodes, size_t n, uint32_t *next_id, size_t *done);

/*
 * Changes what the list says of a node. fn changes the record and what the entry
 * does not have from it, and returns 0: nothing is to change; 1: something is; or
 * -errno. fn may be called again, for the same record: what it did before has not
 * happened. Waiters get slots that appear. Returns what fn returned; -ENOENT; or
 * -errno.
 */
int layout_revise(struct score *s, uint32_t id,
		  int (*fn)(struct node_record *record, struct index_entry *entry, void *arg), void *arg);

/* Puts the nodes into an order: that of ids, which has each node of the farm once. 0; -ESTALE: the farm has other nodes
 * by now; or -errno. */
int layout_arrange(struct score *s, const uint32_t *ids, uint32_t n);

/* Moves a node behind all others, which keep their order. 0, also if there is no such node; or -errno. */
int layout_move_last(struct score *s, uint32_t id);

/* Is called when the nodes are as they are to be: makes another ring (records/ring.h) if the farm had one. 0 or -errno. */
int layout_end(struct score *s);

/* Removes a node that is draining and has no connection. 1; 0: it is not so (any more); or -errno. */
int layout_remove(struct score *s, uint32_t id);
