/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * walk.h: goes through the whole farm without keeping other processes from it: a
 * walk is many sections, each of which touches a bounded number of records,
 * however large the farm is. So a walk sees each node, slot and waiter as it is at
 * some moment of the walk, not all at the same moment.
 *
 * Each function is called in a section, must be short, and may look, stage and
 * commit. A function that returns other than 0 ends the walk, which returns the
 * same.
 */

#include <stdint.h>

#include "records/queue.h"
#include "records/slot.h"
#include "section.h"

#define WALK_NODES 32u /* in one section; so many entries stand in a page of the index */
#define WALK_PAGES 16u /* of slots, or of the queue, in one section */
#define WALK_RESTARTS_MAX 8u    /* at once; from then on the walk pauses before it goes on */
#define WALK_PAUSE_NSEC 1000000L

/*
 * Goes through the nodes in the order of their positions. If a load changes the
 * order meanwhile the walk begins again, after restart (may be NULL) was called:
 * so a walk that comes to its end has met each node once, and waits for loads that
 * change the order in that very moment. A load that is stopped, or was killed,
 * changes nothing, and the walk does not wait for it. 0, what fn returned, or
 * -errno.
 */
int walk_nodes(struct score *s, int (*fn)(struct score *s, struct farm *farm, struct index_entry *entry, void *arg),
	       void (*restart)(void *arg), void *arg);

/* The id of the node of that name, also if the node is to go; no other node ever has the same. ret_next_id (may be NULL):
 * with -ENOENT the farm's next_id when the walk began, 0 for a farm without nodes: as long as it is the same, no node of
 * that name has come. 0; -ENOENT; or -errno. */
int walk_find(struct score *s, const char *name, uint32_t *ret_id, uint32_t *ret_next_id);

/* Goes through the slots of every node that has a connection, free ones too, up to the last that is not free. Returns as
 * walk_nodes(). */
int walk_slots(struct score *s, int (*fn)(struct score *s, struct farm *farm, const struct node_record *record, uint32_t id,
					  uint32_t number, const struct slot *slot, void *arg), void *arg);

/* Goes through all cells of the queue, whatever their state, in no order that means anything. Returns as
 * walk_nodes(). */
int walk_cells(struct score *s, int (*fn)(struct score *s, struct farm *farm, uint32_t number, const struct cell *cell,
					  void *arg), void *arg);
