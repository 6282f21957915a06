/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * place.h: records as they lie in the mapped file. file_has_places() says when
 * that may be written to.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h> /* for tdb.h */

#include <tdb.h>

/* Whether what tdb_parse_record() shows of the record with this key is the file itself, and not a copy. */
bool place_is_file(struct tdb_context *tdb, const char *key);

/* Writes bytes to their place. Calls are done in their order: a process that is killed has done the first ones, perhaps
 * a part of one, and nothing of the others. */
void place_write(void *place, const void *bytes, size_t size);
