/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * passed.h: which waiters need not be looked at. A waiter with a client that has all
 * the slots that it may have stays in the queue, and slots go to waiters behind it.
 * The waiters at the head of the queue that were found so are passed: the record
 * "passed" has the number of the last of them. When such a client may have a slot
 * more, its oldest waiter is looked for (farm/turn.c).
 *
 * Nothing depends on the record but time, and the places of passed waiters for up to
 * a second: each look for the dead forgets it. A record that cannot be read says
 * that no waiter is passed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "queue.h"
#include "store/store.h"

#define PASSED_BITS 1024u

/* The record "passed". */
struct passed {
	uint64_t number;                    /* waiters up to this number, included, are passed; 0: none is */
	uint32_t cell;                      /* the waiter of that number, if it still waits */
	uint32_t limit;                     /* how many slots the client of each of them may have */
	uint64_t clients[PASSED_BITS / 64]; /* a bit, by a hash of its address, for each of their clients */
};

/* In a transaction: makes the record; no waiter is passed. 0 or -errno. */
int passed_format(struct store *store);

/* In a section: the record, to be read only; NULL: no waiter is passed. */
const struct passed *passed_get(struct store *store);

/* No waiter is passed any more. Staged only; harmless if it is so already. */
void passed_forget(struct store *store);

/* The waiter of a cell, the next behind those that are passed, is passed, too; hash is that of its client. false: its
 * client may have another number of slots than theirs, and no waiter is passed any more; or there is no record. Staged
 * only. */
bool passed_add(struct store *store, uint32_t number, const struct cell *cell, uint32_t hash);

/* Whether a client with that hash may have waiters that are passed. */
bool passed_may_have(struct store *store, uint32_t hash);
