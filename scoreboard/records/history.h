/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * history.h: how long connections waited for a slot and held it, and how busy
 * the farm was. Relays note it as they claim and release, so that it is there
 * without a process that stays.
 *
 * The last hour is a ring of slices, a record each ("slice/N"), so that a
 * connection touches only the one of the present half minute. What falls out
 * of the ring is added to the record "history", which together with the ring
 * is everything since the scoreboard was made.
 *
 * A slice that is missing or damaged costs its figures and nothing else: no
 * claim fails for it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"
#include "scoreboard.h"
#include "store/store.h"

/* The record "slice/N". Counts are small: a slice is half a minute. */
struct slice_record {
	uint64_t number;               /* SCORE_SLICE_USEC since the epoch; 0: never used */
	uint64_t wait_sum_usec, hold_sum_usec;
	uint32_t served, failed;       /* connections that ended */
	uint32_t busy, waiting;        /* the most at once */
	uint32_t busy_last, waiting_last; /* after the last change in it */
	uint32_t wait[SCORE_BUCKETS], hold[SCORE_BUCKETS];
};

/* The record "history": what slices before those of the ring counted. */
struct history_record {
	uint64_t served, failed;
	struct score_histogram wait, hold;
};

/* Makes the records, within a transaction, where they are missing or of a wrong size. 0 or -errno. */
int history_format(struct store *store);

/* The farm's counts are as they are now: a connection has begun to wait. Staged only. */
void history_note_counts(struct store *store, const struct farm *farm);

/* A connection that began to wait at since_usec (CLOCK_REALTIME) has got its slot, which farm counts already. Staged
 * only. */
void history_note_claim(struct store *store, const struct farm *farm, uint64_t since_usec);

/* A connection has ended whose slot was taken at since_usec (CLOCK_REALTIME), which farm counts still. Staged only. */
void history_note_end(struct store *store, const struct farm *farm, uint64_t since_usec, bool served);

/* Adds everything up. 0 or -errno. */
int history_read(struct store *store, const struct farm *farm, struct score_history *ret);
