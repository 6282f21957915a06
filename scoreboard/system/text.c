/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "system/text.h"

#include <string.h>

#include "system/timespan.h"

#define DAY_SEC 86400u

struct text text_begin(char *buffer, size_t size)
{
	*buffer = '\0';
	return (struct text){ .at = buffer, .left = size };
}

void text_add_part(struct text *text, const char *string, size_t n)
{
	if (n > text->left - 1)
		n = text->left - 1;
	(void)memcpy(text->at, string, n);
	text->at += n;
	text->left -= n;
	*text->at = '\0';
}

void text_add(struct text *text, const char *string)
{
	text_add_part(text, string, strlen(string));
}

/* Adds a number to a base of 16 at most, with so many digits at least. */
static void add_digits(struct text *text, uint64_t number, unsigned base, unsigned digits)
{
	char reversed[TEXT_DIGITS_MAX], *p = reversed + sizeof(reversed);

	for (; number > 0 || digits > 0; number /= base) {
		*--p = "0123456789abcdef"[number % base];
		if (digits > 0)
			digits--;
	}
	text_add_part(text, p, (size_t)(reversed + sizeof(reversed) - p));
}

void text_add_number(struct text *text, uint64_t number, unsigned digits)
{
	add_digits(text, number, 10, digits > 0 ? digits : 1);
}

void text_add_hex(struct text *text, uint64_t number)
{
	add_digits(text, number, 16, 1);
}

/*
 * Adds a date. A year that begins with March has its odd day at its end; so the days
 * before each month follow from a division, and four centuries are alike.
 */
static void add_date(struct text *text, uint64_t days)
{
	uint64_t since = days + 719468, centuries = since / 146097; /* since the first of March of the year 0; four each */
	uint64_t day = since % 146097, year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	uint64_t month;

	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	text_add_number(text, year + 400 * centuries + (month >= 10), 4);
	text_add(text, "-");
	text_add_number(text, month < 10 ? month + 3 : month - 9, 2);
	text_add(text, "-");
	text_add_number(text, day + 1, 2);
}

void text_add_time(struct text *text, uint64_t usec)
{
	uint64_t seconds = usec / USEC_PER_SEC, of_day = seconds % DAY_SEC;

	add_date(text, seconds / DAY_SEC);
	text_add(text, "T");
	text_add_number(text, of_day / 3600, 2);
	text_add(text, ":");
	text_add_number(text, of_day / 60 % 60, 2);
	text_add(text, ":");
	text_add_number(text, of_day % 60, 2);
	text_add(text, ".");
	text_add_number(text, usec % USEC_PER_SEC, 6);
	text_add(text, "Z");
}
