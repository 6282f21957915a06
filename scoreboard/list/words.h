/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * words.h: a text of a node list as an argument vector, without a shell.
 */

#include <stddef.h>

/*
 * Splits text in place at white space. 'Single quotes' keep everything. "Double
 * quotes" keep everything but the backslash: there and outside of quotes a
 * backslash keeps the next character. words has room for that many pointers,
 * with the NULL at the end. Returns the number of words; -EINVAL: a quote or
 * backslash without an end; or -E2BIG.
 */
int words_split(char *text, char *words[], size_t room);
