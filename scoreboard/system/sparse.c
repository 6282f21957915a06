/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * sparse.c: a copy is a row of pieces, until all words of 8 bytes are there: how
 * many words of zeros come first, and how many other words follow. The bytes
 * behind the last whole word end the copy.
 */

#include "sparse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORD sizeof(uint64_t)

struct piece {
	uint16_t zeros, others; /* in words */
};

/* How many of the words there are zero, or are not. */
static size_t count(const unsigned char *data, size_t words, bool zero)
{
	uint64_t word;
	size_t n;

	for (n = 0; n < words; n++) {
		(void)memcpy(&word, data + n * WORD, WORD);
		if ((word == 0) != zero)
			break;
	}
	return n;
}

/* Makes room for a copy of size bytes. All pieces but the first and the last have a word of zeros and another. */
static int make_room(struct sparse *sparse, size_t size)
{
	size_t need = sparse->n + size + (size / WORD / 2 + 2) * sizeof(struct piece), room = sparse->room * 2;
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

static void append(struct sparse *sparse, const void *bytes, size_t size)
{
	(void)memcpy(sparse->bytes + sparse->n, bytes, size);
	sparse->n += size;
}

int sparse_add(struct sparse *sparse, const void *data, size_t size)
{
	const unsigned char *p = data;
	int r = make_room(sparse, size);

	if (r < 0)
		return r;
	for (size_t words = size / WORD; words > 0;) {
		size_t zeros = count(p, words, true), others = count(p + zeros * WORD, words - zeros, false);
		const struct piece piece = { .zeros = (uint16_t)zeros, .others = (uint16_t)others };

		append(sparse, &piece, sizeof(piece));
		append(sparse, p + zeros * WORD, others * WORD);
		p += (zeros + others) * WORD;
		words -= zeros + others;
	}
	append(sparse, p, size % WORD);
	return 0;
}

static void take(const struct sparse *sparse, size_t *at, void *ret, size_t size)
{
	(void)memcpy(ret, sparse->bytes + *at, size);
	*at += size;
}

void sparse_get(const struct sparse *sparse, size_t *at, void *ret, size_t size)
{
	unsigned char *p = ret;
	struct piece piece;

	(void)memset(p, 0, size);
	for (size_t words = size / WORD; words > 0; words -= (size_t)piece.zeros + piece.others) {
		take(sparse, at, &piece, sizeof(piece));
		take(sparse, at, p + piece.zeros * WORD, piece.others * WORD);
		p += ((size_t)piece.zeros + piece.others) * WORD;
	}
	take(sparse, at, p, size % WORD);
}

void sparse_clear(struct sparse *sparse)
{
	free(sparse->bytes);
	*sparse = (struct sparse){ 0 };
}
