/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * age.h: lengths of time in one word, for tables and messages: "25s", "3m", "4h",
 * "12d".
 */

#include <stdint.h>

#define AGE_MAX 24

/* Writes a length of time. Returns text. */
const char *age_format(uint64_t usec, char text[static AGE_MAX]);

/* How long ago a moment of CLOCK_REALTIME was; 0 if it is in the future. */
uint64_t age_of(uint64_t since_usec);
