/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * history.h: how long connections waited for a slot and held it, and how busy
 * the farm was. Relays note this as they claim and release, so no resident
 * process is needed.
 *
 * The last hour is a ring of slices, a record each ("slice/N"), so a connection
 * touches only the slice of the present half minute. A slice that leaves the
 * ring is added to the record "history". That record and the ring together have
 * everything since the scoreboard was made.
 *
 * A slice that is missing or damaged costs its figures and nothing else: no
 * claim fails because of it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"
#include "types.h"
#include "store/store.h"

/* The record "slice/N". Counts are small: a slice is half a minute. */
struct slice_record {
	uint64_t number;               /* SCORE_SLICE_USEC since the epoch; 0: never used */
	uint64_t wait_sum_usec, hold_sum_usec;
	uint32_t served, failed;       /* connections that ended */
	uint32_t busy, waiting;        /* the most at once */
	uint32_t busy_last, waiting_last; /* after the last change in this slice */
	uint32_t wait[SCORE_BUCKETS], hold[SCORE_BUCKETS];
};

/* The record "history": the counts of all slices that left the ring. */
struct history_record {
	uint64_t served, failed;
	struct score_histogram wait, hold;
};

/* In a transaction: makes the records that are missing or of a wrong size. 0 or -errno. */
int history_format(struct store *store);

/* Notes the farm's counts: a connection has begun to wait. Staged only. */
void history_note_counts(struct store *store, const struct farm *farm);

/* Notes that a connection, which began to wait at since_usec, has got its slot at now_usec (both CLOCK_BOOTTIME). farm
 * counts the slot already. Staged only. */
void history_note_claim(struct store *store, const struct farm *farm, uint64_t since_usec, uint64_t now_usec);

/* Notes that a connection, which took its slot at since_usec, has ended at now_usec (both CLOCK_BOOTTIME). farm counts
 * the slot still. Staged only. */
void history_note_end(struct store *store, const struct farm *farm, uint64_t since_usec, uint64_t now_usec, bool served);

/* Adds up the record "history" and the ring, as far as they can be read. */
void history_read(struct store *store, const struct farm *farm, struct score_history *ret);
