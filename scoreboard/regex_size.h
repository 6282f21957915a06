/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * regex_size.h: how much regcomp(3) makes of an extended regular expression.
 * The C library writes every repetition out, and what is repeated within a
 * repetition again and again: a few dozen bytes can ask for all memory there is.
 */

#include <stdint.h>

#define REGEX_SIZE_MAX 2000u /* memory and time may grow with the square: some dozen megabytes, for a moment */

/* About how many nodes its tree has, UINT32_MAX for anything above. No call fails: what is no regular expression has
 * some size, too. */
uint32_t regex_size(const char *regex);
