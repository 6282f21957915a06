/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * patience.h: whether a free slot is kept from the waiter that is next, because a
 * faster slot is expected to serve that waiter sooner.
 *
 * The record "patience" says how fast nodes are, how much work a connection is, and
 * until when a slot is kept. It decides for how long a connection waits, and nothing
 * else: whatever it says, no slot is kept for longer than SCORE_PATIENCE_MAX_USEC. A
 * record that cannot be read says that none is kept.
 */

#include <stdbool.h>
#include <stdint.h>

#include "index.h"
#include "types.h"
#include "store/store.h"

#define PATIENCE_CLASSES 128u

/* What nodes of about the same speed can do, when all their cores are busy. */
struct patience_class {
	uint64_t speed;        /* of all their cores together, in thousandths */
	uint64_t cores;
};

/* The record "patience". All zero: nothing is known yet, and nothing is kept. */
struct patience {
	uint64_t most_usec;    /* for how long a slot is kept at most: the latest --patience */
	uint64_t credit_usec;  /* for how long slots may be kept, as of counted_usec */
	uint64_t counted_usec; /* CLOCK_BOOTTIME */
	uint64_t until_usec;   /* CLOCK_BOOTTIME: a slot is kept until then at most; 0: none is */
	uint64_t work_usec;    /* how long a connection takes in the mean at speed 1; 0: not known */
	struct patience_class classes[PATIENCE_CLASSES]; /* of nodes that are up, as the last look for the dead found them, and less
							  * those that went since */
};

/* In a transaction: makes the record; or copies it, if there is one in the other store. 0 or -errno. */
int patience_format(struct store *store);
int patience_copy(struct store *from, struct store *to);

/* In a section: the record, or NULL. The caller may change it, and touches what it has changed. */
struct patience *patience_get(struct store *store);

/* A connection comes that is to wait for so long at most. The credit stays as it is, up to that time; only the first such
 * connection of a farm has a whole credit. Staged only. */
void patience_ask(struct store *store, uint64_t most_usec, uint64_t now_usec);

/* Adds a node that is up to the classes. */
void patience_add(struct patience_class classes[static PATIENCE_CLASSES], const struct index_entry *entry);

/* A node's entry has changed. If the node does less than before, or nothing any more, no slot is kept for what it did.
 * Staged only. */
void patience_changed(struct store *store, const struct index_entry *before, const struct index_entry *now);

/* A served connection has had a slot of the node for so long. Staged only. */
void patience_learn(struct store *store, const struct index_entry *entry, uint64_t usec);

/*
 * Whether a free slot of this worth, in steps, the best that is free, is kept from
 * so many waiters, at least 1. Counts the credit. Changes the record's time fields
 * only, and touches nothing.
 */
bool patience_keeps(struct patience *patience, uint32_t worth, uint64_t waiting, uint64_t now_usec);

/* No slot is kept any more. Counts the credit. Changes the record's time fields only, and touches nothing. */
void patience_end(struct patience *patience, uint64_t now_usec);

/* Until when a slot is kept, if the record can be true; 0: none is. CLOCK_BOOTTIME. */
uint64_t patience_until(const struct patience *patience, uint64_t now_usec);
