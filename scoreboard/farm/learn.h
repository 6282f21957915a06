/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * learn.h: takes samples of a node's speed into the scoreboard. All is staged
 * only, inside the caller's section. A caller that is told that the entry's
 * speed has changed updates the index.
 */

#include <stdbool.h>
#include <stdint.h>

#include "records/index.h"
#include "records/node.h"
#include "records/slot.h"
#include "store/store.h"

/* In a transaction: makes the records of samples. 0 or -errno. */
int learn_format(struct store *store);

/*
 * At now_usec (CLOCK_BOOTTIME) a served connection releases its slot, after in
 * bytes from the client and out bytes from the node. A connection to which the node
 * sent nothing is no sample. 0, 1 if the entry's speed has changed, or -errno.
 */
int learn_hold(struct store *store, struct node_record *record, struct index_entry *entry, const struct slot *slot,
	       uint64_t in, uint64_t out, uint64_t now_usec);

/* Takes in that a probe's identical compile took work_usec (0: there was none), and that time has passed. Outcomes as
 * learn_hold(). */
int learn_compile(struct store *store, struct node_record *record, struct index_entry *entry, uint64_t work_usec);
