/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * place.h: records as they lie in the mapped file. file_has_places() says when
 * that may be written to.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h> /* for tdb.h */

#include <tdb.h>

/* The file as tdb has mapped it. */
struct map {
	unsigned char *bytes;  /* NULL: tdb has not mapped the file */
	size_t size;           /* as tdb_map_size() says */
	const unsigned char *known; /* where the record is that place_map() was called with */
};

/* Looks where tdb has mapped the file. The record with this key is there, unless the file is damaged. */
struct map place_map(struct tdb_context *tdb, const char *key);

/*
 * As tdb_parse_record(), but looks at the mapped file itself. hash is the key's, by tdb_jenkins_hash(). tdb must not write
 * to it or map it anew meanwhile: the caller has the lock, and no transaction. Returns whether
 * the record was found: if not, tdb is to be asked, which also knows what is wrong.
 */
bool place_find(const struct map *map, TDB_DATA key, uint32_t hash, TDB_DATA *ret);

/* Writes bytes to their place. Calls are done in their order: a process that is killed has done the first ones, perhaps
 * a part of one, and nothing of the others. */
void place_write(void *place, const void *bytes, size_t size);
