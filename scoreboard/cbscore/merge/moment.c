/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "moment.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "system/timespan.h"

#define TEXT_MAX 63

/* Whether a fraction may follow the text: the text ends with seconds, or it is a number alone. */
static bool ends_with_seconds(const char *text, size_t size)
{
	if (size >= 3 && text[size - 3] == ':' && isdigit((unsigned char)text[size - 2]) && isdigit((unsigned char)text[size - 1]))
		return true;
	for (size_t i = 0; i < size; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return size > 0;
}

/* strptime(3) knows no fractions: takes the fraction out of the text. */
static void take_fraction(char *text, uint64_t *ret_usec, uint64_t *ret_unit_usec)
{
	char *dot = text, *end;

	*ret_usec = 0;
	*ret_unit_usec = USEC_PER_SEC;
	for (;;) {
		dot = strpbrk(dot, ".,");
		if (!dot)
			return;
		if (isdigit((unsigned char)dot[1]) && ends_with_seconds(text, (size_t)(dot - text)))
			break;
		dot++;
	}
	for (end = dot + 1; isdigit((unsigned char)*end); end++) {
		if (*ret_unit_usec == 1)
			continue;
		*ret_unit_usec /= 10;
		*ret_usec += (uint64_t)(*end - '0') * *ret_unit_usec;
	}
	(void)memmove(dot, end, strlen(end) + 1);
}

static bool has(const char *format, const char *letters)
{
	for (const char *percent = strchr(format, '%'); percent; percent = strchr(percent + 2, '%')) {
		if (percent[1] == '\0')
			return false;
		if (strchr(letters, percent[1]))
			return true;
	}
	return false;
}

static time_t to_seconds(const struct tm *tm, bool has_zone)
{
	struct tm copy = *tm;

	copy.tm_isdst = -1;
	return has_zone ? timegm(&copy) - tm->tm_gmtoff : mktime(&copy);
}

static uint64_t distance(time_t seconds, uint64_t near_usec)
{
	uint64_t usec = (uint64_t)seconds * USEC_PER_SEC;

	return usec > near_usec ? usec - near_usec : near_usec - usec;
}

/* The time in the year that brings it nearest to near_usec. */
static time_t in_nearest_year(struct tm *tm, bool has_zone, uint64_t near_usec)
{
	time_t near = (time_t)(near_usec / USEC_PER_SEC), best = -1;
	struct tm now;
	int year;

	if (!gmtime_r(&near, &now))
		return -1;
	for (year = now.tm_year - 1; year <= now.tm_year + 1; year++) {
		time_t seconds;

		tm->tm_year = year;
		seconds = to_seconds(tm, has_zone);
		if (seconds >= 0 && (best < 0 || distance(seconds, near_usec) < distance(best, near_usec)))
			best = seconds;
	}
	return best;
}

int moment_parse(const char *text, size_t size, const char *format, uint64_t near_usec, uint64_t *ret_usec,
		 uint64_t *ret_unit_usec)
{
	bool has_zone = has(format, "z");
	uint64_t fraction_usec, unit_usec;
	char copy[TEXT_MAX + 1];
	struct tm tm = { 0 };
	const char *end;
	time_t seconds;

	if (size > TEXT_MAX)
		return -EINVAL;
	(void)memcpy(copy, text, size);
	copy[size] = '\0';
	take_fraction(copy, &fraction_usec, &unit_usec);
	end = strptime(copy, format, &tm);
	if (!end || *end)
		return -EINVAL;
	seconds = has(format, "YyCDFGgcsx+") ? to_seconds(&tm, has_zone) : in_nearest_year(&tm, has_zone, near_usec);
	if (seconds < 0)
		return -EINVAL;
	*ret_usec = (uint64_t)seconds * USEC_PER_SEC + fraction_usec;
	*ret_unit_usec = unit_usec;
	return 0;
}
