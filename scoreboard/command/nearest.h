/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * nearest.h: which of the right words somebody may have meant by a wrong one.
 */

#include <stddef.h>

/* The word of that number, from 0 on; NULL behind the last. */
typedef const char *nearest_word(const void *words, size_t i);

/*
 * The word that is most like the wrong one, capitals aside: the one that begins
 * with it if there is only one such, else one with at most a letter wrong for
 * every three. NULL if none is.
 */
const char *nearest(const char *wrong, nearest_word *word, const void *words);

/* Writes all words as a message lists them: "fastest, order or spread". Returns text. */
const char *nearest_list(nearest_word *word, const void *words, char *text, size_t size);
