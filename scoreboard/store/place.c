/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * place.c: tdb_store() looks for the record anew, reads its head, and copies all
 * of it: two fifths of the instructions of a claim and a release. But a section
 * that changes a record has had it shown by tdb_parse_record(), and knows which
 * of its bytes have changed.
 */

#include "place.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

struct seen {
	struct tdb_context *tdb;
	TDB_DATA key;
	const unsigned char *outer, *inner;
};

static int look_again(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct seen *seen = arg;

	(void)key;
	seen->inner = value.dptr;
	return 0;
}

static int look(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct seen *seen = arg;

	(void)key;
	seen->outer = value.dptr;
	return tdb_parse_record(seen->tdb, seen->key, look_again, seen);
}

/* tdb does not tell. But of one record that is shown twice at the same time, there is either the file or two copies. */
bool place_is_file(struct tdb_context *tdb, const char *key)
{
	struct seen seen = { .tdb = tdb, .key = { .dptr = (unsigned char *)(uintptr_t)key, .dsize = strlen(key) } };

	return tdb_parse_record(tdb, seen.key, look, &seen) == 0 && seen.outer && seen.outer == seen.inner;
}

/* In a source file of its own, so that no compiler sees what the bytes are for, and changes the order. */
void place_write(void *place, const void *bytes, size_t size)
{
	(void)memcpy(place, bytes, size);
	atomic_signal_fence(memory_order_seq_cst);
}
