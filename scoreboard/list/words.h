/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * words.h: a text of a node list as an argument vector, without a shell.
 */

#include <stddef.h>

/*
 * Splits text in place at white space. 'Single quotes' keep everything, "double
 * quotes" everything but that a backslash keeps the next character, as it does
 * outside of quotes. words has room for so many pointers, the last of which is
 * for the NULL at the end. The number of words, -EINVAL: a quote or backslash
 * without an end, or -E2BIG.
 */
int words_split(char *text, char *words[], size_t room);
