/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * under_way.h: the connections that relays serve now, in memory that a listener
 * shares with its relays: so the listener can tell of a connection whose relay was
 * killed. A relay notes what it knows as it goes on; the line of a connection that
 * ends is made of the relay's own record, which no other relay can write.
 *
 * A relay may be killed at any instruction. There are two copies of each note, and a
 * single store says which is valid, so the listener finds the note before or after a
 * change. A relay that is killed between writing its line and dropping the note has
 * two lines.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

/* The notes of all relays. */
struct under_way;

/* The note of a single relay. */
struct under_way_note;

/* Makes the notes, empty, of relays with numbers below n; to be inherited by fork(2). 0 or -errno; the caller ends it by
 * under_way_free(). */
int under_way_new(size_t n, struct under_way **ret);

/* Frees the notes in this process. NULL is fine. Returns NULL. */
struct under_way *under_way_free(struct under_way *all);

/* ---- a relay ---- */

/* The note of relay number i; part of all. */
struct under_way_note *under_way_of(struct under_way *all, size_t i);

/* Notes what is known of a connection that was accepted at accepted_usec (CLOCK_BOOTTIME). note: NULL if no process reads
 * it; then nothing is done, here and below. */
void under_way_set(struct under_way_note *note, const struct record *record, uint64_t accepted_usec);

/* Notes how many bytes have moved. */
void under_way_count(struct under_way_note *note, uint64_t in, uint64_t out);

/* Drops the note: the line of the connection has been written. */
void under_way_end(struct under_way_note *note);

/* ---- the listener ---- */

/*
 * Takes the note of a relay that has ended: true and *ret, the record of a connection that ended with the relay
 * (CAUSE_KILLED); false: the relay served none. What a relay wrote is not believed: all of *ret can be reported.
 */
bool under_way_take(struct under_way_note *note, struct record *ret);
