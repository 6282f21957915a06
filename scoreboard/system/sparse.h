/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * sparse.h: copies of structures that are mostly zero, one behind the other,
 * without most of their zeros. A node's record has room for long names and many
 * addresses; a copy of a usual record takes a fifth of its size.
 */

#include <stddef.h>

/* All zero: no copy. */
struct sparse {
	unsigned char *bytes;
	size_t n, room;
};

/* Adds a copy of size bytes, at most 64 KiB. 0; or -ENOMEM, and nothing has changed. */
int sparse_add(struct sparse *sparse, const void *data, size_t size);

/* Writes the copy that begins at *at, of size bytes, to ret. Moves *at behind the copy; the first begins at 0. */
void sparse_get(const struct sparse *sparse, size_t *at, void *ret, size_t size);

/* Frees what it holds. */
void sparse_clear(struct sparse *sparse);
