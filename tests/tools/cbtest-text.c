/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-text.c: scoreboard/system/text.h against printf(3) and strftime(3). Prints a
 * line for each statement that holds.
 */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../scoreboard/system/text.h"
#include "must.h"

#define LAST_SEC 16725225600 /* the year 2500 */

static void says(const char *statement)
{
	MUST(puts(statement) != EOF);
}

static void number_is_as_printf_writes_it(uint64_t number)
{
	char written[64], expected[64];
	struct text text = text_begin(written, sizeof(written));

	text_add_number(&text, number, 1);
	text_add(&text, " ");
	text_add_number(&text, number, 6);
	text_add(&text, " ");
	text_add_hex(&text, number);
	(void)snprintf(expected, sizeof(expected), "%" PRIu64 " %06" PRIu64 " %" PRIx64, number, number, number);
	MUST(strcmp(written, expected) == 0);
}

static void numbers(void)
{
	for (uint64_t number = 0; number < 2000; number++)
		number_is_as_printf_writes_it(number);
	for (uint64_t number = 1; number < UINT64_MAX / 7; number *= 7)
		number_is_as_printf_writes_it(number);
	number_is_as_printf_writes_it(UINT64_MAX);
	says("numbers are as printf writes them");
}

static void time_is_as_strftime_writes_it(uint64_t usec)
{
	char written[64], expected[64], seconds[32];
	time_t at = (time_t)(usec / 1000000);
	struct text text = text_begin(written, sizeof(written));
	struct tm tm;

	text_add_time(&text, usec);
	MUST(gmtime_r(&at, &tm) != NULL && strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm) > 0);
	(void)snprintf(expected, sizeof(expected), "%s.%06" PRIu64 "Z", seconds, usec % 1000000);
	MUST(strcmp(written, expected) == 0);
}

static void times(void)
{
	/* Every day has its turn, at another time of day. */
	for (uint64_t seconds = 0; seconds < LAST_SEC; seconds += 86399)
		time_is_as_strftime_writes_it(seconds * 1000000 + seconds % 1000000);
	says("times of more than five centuries are as strftime writes them");
}

static void ends(void)
{
	for (size_t size = 1; size <= 12; size++) {
		char buffer[13];
		struct text text;

		(void)memset(buffer, '#', sizeof(buffer));
		text = text_begin(buffer, size);
		text_add(&text, "abc");
		text_add_number(&text, 12345, 1);
		text_add_part(&text, "defg", 2);
		MUST(strncmp(buffer, "abc12345de", size - 1) == 0 && strlen(buffer) == (size < 11 ? size - 1 : 10));
		MUST(buffer[size] == '#');
	}
	says("a text that does not fit is cut, and nothing behind the buffer is touched");
}

int main(void)
{
	numbers();
	times();
	ends();
	return 0;
}
