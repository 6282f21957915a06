/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * nearest.c: the distance of two words is the number of letters that were left
 * out, put in, mistaken, or swapped with their neighbour.
 */

#include "nearest.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LENGTH_MAX 64u
#define LETTERS_PER_MISTAKE 3u

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned rows[3][LENGTH_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];

	if (n > LENGTH_MAX || m > LENGTH_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= m; j++) {
		before[j] = UINT_MAX / 2;
		last[j] = (unsigned)j;
	}
	for (size_t i = 1; i <= n; i++) {
		unsigned *oldest = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);

			row[j] = least(last[j - 1] + (x != y), least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && y == tolower((unsigned char)a[i - 2]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[m];
}

/* The only word that begins with the wrong word; NULL if there is none or several. */
static const char *begins(const char *wrong, nearest_word *word, const void *words)
{
	const char *found = NULL, *candidate;
	size_t length = strlen(wrong);

	for (size_t i = 0; length > 0 && (candidate = word(words, i)); i++) {
		if (strncasecmp(candidate, wrong, length) != 0)
			continue;
		if (found)
			return NULL;
		found = candidate;
	}
	return found;
}

const char *nearest(const char *wrong, nearest_word *word, const void *words)
{
	const char *best = begins(wrong, word, words), *candidate;
	unsigned least_mistakes = UINT_MAX;

	if (best)
		return best;
	for (size_t i = 0; (candidate = word(words, i)); i++) {
		size_t length = strlen(candidate), longer = strlen(wrong) > length ? strlen(wrong) : length;
		unsigned mistakes = distance(wrong, candidate);

		if (mistakes < least_mistakes && mistakes * LETTERS_PER_MISTAKE <= longer) {
			least_mistakes = mistakes;
			best = candidate;
		}
	}
	return best;
}

const char *nearest_list(nearest_word *word, const void *words, char *text, size_t size)
{
	size_t used = 0;
	const char *item;

	*text = '\0';
	for (size_t i = 0; used < size && (item = word(words, i)); i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 i == 0 ? "" : word(words, i + 1) ? ", " : " or ", item);
	return text;
}
