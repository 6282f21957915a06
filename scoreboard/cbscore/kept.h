/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * kept.h: the words for free cores that are kept from connections that wait, by
 * option --patience of cbrelay: the same wherever an administrator looks.
 */

#include <stdint.h>

#define KEPT_MAX 192

/* Writes how many free cores are kept, for how long from now at most, and why; until_usec is of CLOCK_BOOTTIME. The words
 * begin with a number and end without a full stop. Returns text. */
const char *kept_format(uint64_t kept, uint64_t until_usec, char text[static KEPT_MAX]);
