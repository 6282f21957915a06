/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * text.h: text that is put together piece by piece in a buffer of a fixed size. A
 * relay writes a connection's line by it and not by printf(3): a process that lives
 * for one connection would map a dozen pages of the C library, and copy some of its
 * own, only for that.
 */

#include <stddef.h>
#include <stdint.h>

/* Where the next piece goes. The buffer stays the caller's, and always holds a terminated text. */
struct text {
	char *at;
	size_t left;           /* bytes from there on, the terminating one included */
};

/* Begins an empty text in a buffer of size bytes, 1 at least. */
struct text text_begin(char *buffer, size_t size);

/* Adds a string, or as much of it as there is room for. */
void text_add(struct text *text, const char *string);

/* Adds a string of n bytes, or as much of it as there is room for. */
void text_add_part(struct text *text, const char *string, size_t n);

/* Adds a number in decimal, with leading zeros up to so many digits, TEXT_DIGITS_MAX at most. */
void text_add_number(struct text *text, uint64_t number, unsigned digits);

#define TEXT_DIGITS_MAX 20

/* Adds a number in hexadecimal. */
void text_add_hex(struct text *text, uint64_t number);

/* Adds a time in microseconds since 1970: universal time, in the form of RFC 3339, with six digits behind the point. */
void text_add_time(struct text *text, uint64_t usec);
