/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * nearest.h: finds the right word that is most similar to a wrong word.
 */

#include <stddef.h>

/* Returns the word of that number, from 0 on; NULL behind the last. */
typedef const char *nearest_word(const void *words, size_t i);

/*
 * The word that is most similar to the wrong word, without regard to case: the
 * word that begins with it if there is only one such, else the nearest word with
 * at most one wrong letter in three. NULL: no word is similar.
 */
const char *nearest(const char *wrong, nearest_word *word, const void *words);

/* Writes all words as a message lists them: "fastest, order or spread". Returns text. */
const char *nearest_list(nearest_word *word, const void *words, char *text, size_t size);
