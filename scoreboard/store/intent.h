/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * intent.h: a change as it is written down before it is made: which bytes go
 * where, and a checksum that tells whether the intent was written to its end.
 * Its purpose is at the head of store.c; the format is in
 * corebalance-scoreboard(5).
 */

#include <stdbool.h>
#include <stdint.h>

#define INTENT_SIZE 4096
#define INTENT_HEAD_SIZE 24

/* The record "intent", as it lies in the file. */
struct intent {
	uint64_t sequence;   /* that of the change before, plus 1 */
	uint64_t checksum;   /* of everything behind it, and the sequence */
	uint32_t size;       /* bytes used, the head included */
	uint32_t n_patches;
	unsigned char patches[INTENT_SIZE - INTENT_HEAD_SIZE]; /* each a patch and its bytes, filled up to a multiple of 8 */
};

/* Bytes of a record, by the record's kind and its numbers (store.h). */
struct patch {
	uint32_t kind, a, b, offset, size, reserved;
};

/* Begins an intent with no patch. Bytes behind its head stay as they are. */
void intent_begin(struct intent *intent, uint64_t sequence);

/* Adds a patch and its patch->size bytes. 0, or -E2BIG: no room is left for it. */
int intent_add(struct intent *intent, const struct patch *patch, const void *bytes);

/* Ends an intent: from now on it is whole. */
void intent_seal(struct intent *intent);

/* Whether an intent was written to its end. The argument may be any bytes. */
bool intent_is_whole(const struct intent *intent);

/*
 * Calls back for each patch with its bytes until fn returns other than 0.
 * Returns 0, what fn returned, or -EUCLEAN: these are no patches. The intent
 * must be whole; fn checks what the patches say of records.
 */
int intent_each(const struct intent *intent,
		int (*fn)(const struct patch *patch, const unsigned char *bytes, void *arg), void *arg);
