/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * ring.h: which node a client's address belongs to, for the policy hash. The
 * space of hashes is cut into RING_CELLS equal cells, in pages, the record
 * "ring/PAGE". Each cell has a node. A node throws points at the cells, each at
 * a moment and as many in a unit of time as it has cores; cells and moments follow
 * from its name alone. A cell belongs to the node of which a point is in it first;
 * a cell that has none after 64 units, in a small farm, to the node of the next
 * cell. So a node that comes takes only cells in which it is the first, and a node
 * that goes leaves only its own cells to others. In a large farm each cell has
 * a point long before the 64 units are over, and no more points are made.
 *
 * The ring follows from the nodes. It is there only if a connection has asked
 * for it: then farm.ring is RING_THERE, and each new index brings a new ring. A
 * process that changes the nodes one by one makes the new ring at the end. Until
 * then claims do without, as each of them would make a ring for the next change.
 */

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"
#include "store/store.h"

#define RING_CELLS 65536u
#define RING_THERE 1u /* farm.ring; 0: no connection has asked for it; others: see ring_drop() */

/* A hash of bytes that is spread evenly over 64 bits. */
uint64_t ring_hash(const char *bytes, size_t length);

/* Another hash made of a hash and a number. */
uint64_t ring_mix(uint64_t hash, uint64_t number);

/* Notes in the farm's record, which the caller writes, that the nodes have changed, and when: the ring is away. Returns
 * whether the farm is to have another; the caller sees to it. */
bool ring_drop(struct farm *farm);

/* Whether a process that changes the nodes will make a ring: it has made a change within two seconds. */
bool ring_is_coming(const struct farm *farm);

/* In a transaction, after the index was written: writes the ring, if the farm's record says that it is there. 0 or
 * -errno. */
int ring_build(struct store *store, const struct farm *farm);

/* The position of the node to which a hash belongs; NONE: there is no node. 0; -EUCLEAN: it cannot be read; or
 * -errno. */
int ring_find(struct store *store, uint64_t hash, uint32_t *ret);
