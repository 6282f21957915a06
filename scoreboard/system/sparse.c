/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * sparse.c: a copy is a row of pieces until size bytes are there: how many zeros
 * come first, and how many bytes follow, which may have a few zeros among them.
 */

#include "sparse.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct piece {
	uint16_t zeros, length;
};

#define ZEROS_MIN 8u /* fewer zeros are worth no piece of their own */

/* How many zeros there are from at on. */
static size_t count_zeros(const unsigned char *data, size_t at, size_t size)
{
	size_t n = 0;

	while (at + n < size && data[at + n] == 0)
		n++;
	return n;
}

/* How many bytes there are from at on until zeros are worth a piece, or the end comes. */
static size_t count_bytes(const unsigned char *data, size_t at, size_t size)
{
	size_t n = 0, zeros;

	while (at + n < size) {
		zeros = count_zeros(data, at + n, size);
		if (zeros >= ZEROS_MIN || at + n + zeros == size)
			break;
		n += zeros + 1;
	}
	return n;
}

/* Makes room for a copy of size bytes: all pieces but the first and the last have enough zeros, and a byte. */
static int make_room(struct sparse *sparse, size_t size)
{
	size_t need = sparse->n + size + (size / ZEROS_MIN + 2) * sizeof(struct piece), room = sparse->room * 2;
	unsigned char *bytes;

	if (need <= sparse->room)
		return 0;
	room = room > need ? room : need;
	bytes = realloc(sparse->bytes, room);
	if (!bytes)
		return -ENOMEM;
	sparse->bytes = bytes;
	sparse->room = room;
	return 0;
}

int sparse_add(struct sparse *sparse, const void *data, size_t size)
{
	const unsigned char *p = data;
	int r = make_room(sparse, size);

	for (size_t at = 0; r == 0 && at < size;) {
		size_t zeros = count_zeros(p, at, size), length = count_bytes(p, at + zeros, size);
		const struct piece piece = { .zeros = (uint16_t)zeros, .length = (uint16_t)length };

		(void)memcpy(sparse->bytes + sparse->n, &piece, sizeof(piece));
		(void)memcpy(sparse->bytes + sparse->n + sizeof(piece), p + at + zeros, length);
		sparse->n += sizeof(piece) + length;
		at += zeros + length;
	}
	return r;
}

void sparse_get(const struct sparse *sparse, size_t *at, void *ret, size_t size)
{
	unsigned char *p = ret;
	struct piece piece;

	(void)memset(p, 0, size);
	for (size_t n = 0; n < size; n += piece.zeros + piece.length) {
		(void)memcpy(&piece, sparse->bytes + *at, sizeof(piece));
		(void)memcpy(p + n + piece.zeros, sparse->bytes + *at + sizeof(piece), piece.length);
		*at += sizeof(piece) + piece.length;
	}
}

void sparse_clear(struct sparse *sparse)
{
	free(sparse->bytes);
	*sparse = (struct sparse){ 0 };
}
