/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-sparse.c: copies without zeros.
 *
 *     cbtest-sparse SEED
 *
 * copies structures of 1 to 4000 bytes, with more and fewer zeros, and compares
 * what comes back. Prints how many bytes were copied, and how many the copies took.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/sparse.h"

#define COPIES 400u
#define SIZE_MAX_HERE 4000u

/* Fills in some runs of bytes that are not zero. */
static void fill(unsigned char *data, size_t size)
{
	size_t gap = 1 + (size_t)rand() % 200;

	(void)memset(data, 0, size);
	for (size_t at = (size_t)rand() % gap; at < size; at += (size_t)rand() % gap + 1)
		for (size_t n = (size_t)rand() % 30; n > 0 && at < size; n--)
			data[at++] = (unsigned char)(rand() % 256);
}

int main(int argc, char **argv)
{
	static unsigned char data[COPIES][SIZE_MAX_HERE], back[SIZE_MAX_HERE + 1];
	static size_t sizes[COPIES];
	struct sparse sparse = { 0 };
	size_t at = 0, all = 0;

	if (argc != 2)
		return 64;
	srand((unsigned)strtoul(argv[1], NULL, 10));
	for (unsigned i = 0; i < COPIES; i++) {
		sizes[i] = i < 40 ? i + 1 : 1 + (size_t)rand() % SIZE_MAX_HERE;
		fill(data[i], sizes[i]);
		if (sparse_add(&sparse, data[i], sizes[i]) < 0 || sparse.n > sparse.room)
			return 71;
		all += sizes[i];
	}
	for (unsigned i = 0; i < COPIES; i++) {
		back[sizes[i]] = 0x5a;
		sparse_get(&sparse, &at, back, sizes[i]);
		if (memcmp(back, data[i], sizes[i]) != 0 || back[sizes[i]] != 0x5a || at > sparse.n) {
			(void)fprintf(stderr, "cbtest-sparse: copy %u of %zu bytes differs\n", i, sizes[i]);
			return 1;
		}
	}
	(void)printf("%zu bytes in %zu\n", all, sparse.n);
	sparse_clear(&sparse);
	return 0;
}
