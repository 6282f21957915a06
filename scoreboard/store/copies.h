/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * copies.h: the records that a section works on, each in a copy. The section
 * changes the copies, and says which bytes it has changed. A commit plans these
 * changes, and writes them; what was not committed ends with the copies.
 *
 * A claim and a release look for some forty copies: what does so is inline.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"

struct intent;

#define COPIES_MAX 48u
#define COPY_RANGES_MAX 8u
#define COPY_ARENA_SIZE (COPIES_MAX * 2304u)

struct copy_range {
	uint32_t offset, size;
};

struct copy {
	enum store_kind kind;
	uint32_t a, b;
	unsigned char *data;  /* in the arena; it stays there as long as the copy */
	unsigned char *place; /* as tdb showed it; see file_has_places() */
	size_t size;
	struct copy_range dirty[COPY_RANGES_MAX]; /* which bytes have changed since the last commit */
	unsigned n_dirty;
};

/* Without copies, n is 0, and nothing else has a meaning. */
struct copies {
	unsigned n;
	struct copy items[COPIES_MAX];
	/* The copies' bytes, one behind the other: few pages, which is what a process made by fork(2) pays for. */
	_Alignas(16) unsigned char arena[COPY_ARENA_SIZE];
};

/* The copy of a record, or NULL. Newest first: a section mostly goes on with what it has fetched last. */
static inline struct copy *copies_find(struct copies *c, enum store_kind kind, uint32_t a, uint32_t b)
{
	for (unsigned i = c->n; i-- > 0;) {
		struct copy *copy = &c->items[i];

		if (copy->kind == kind && copy->a == a && copy->b == b)
			return copy;
	}
	return NULL;
}

/* Begins one more copy, which counts when the caller has filled it and raised n. NULL: there are too many. */
static inline struct copy *copies_begin(struct copies *c, enum store_kind kind, uint32_t a, uint32_t b)
{
	struct copy *copy = &c->items[c->n];

	if (c->n == COPIES_MAX)
		return NULL;
	copy->kind = kind;
	copy->a = a;
	copy->b = b;
	copy->n_dirty = 0;
	return copy;
}

/* Fills the copy that was begun with the record as it lies at a place. 0; -EUCLEAN: no record is so large; -E2BIG: the
 * arena is full. */
int copies_fill(struct copies *c, unsigned char *place, size_t size);

/* Notes that size bytes at p, inside a copy, have changed or are about to. */
void copies_touch(struct copies *c, const void *p, size_t size);

/* Adds all changes to an intent. 0, or -E2BIG: it has no room for them. */
int copies_plan(const struct copies *c, struct intent *intent);

/* Writes all changes to where the records lie. Returns how many records have changed. */
unsigned copies_write_in_place(const struct copies *c);

/* All changes have been written. */
void copies_clean(struct copies *c);

/* Unless there are changes, ends all copies but the first. */
void copies_trim(struct copies *c);
