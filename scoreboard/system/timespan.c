/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "timespan.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct unit {
	const char *name;
	uint64_t usec;
} units[] = {
	{ "us", 1 }, { "usec", 1 },
	{ "ms", USEC_PER_MSEC }, { "msec", USEC_PER_MSEC },
	{ "s", USEC_PER_SEC }, { "sec", USEC_PER_SEC }, { "second", USEC_PER_SEC }, { "seconds", USEC_PER_SEC },
	{ "m", 60 * USEC_PER_SEC }, { "min", 60 * USEC_PER_SEC },
	{ "minute", 60 * USEC_PER_SEC }, { "minutes", 60 * USEC_PER_SEC },
	{ "h", 3600 * USEC_PER_SEC }, { "hr", 3600 * USEC_PER_SEC },
	{ "hour", 3600 * USEC_PER_SEC }, { "hours", 3600 * USEC_PER_SEC },
	{ "d", 86400 * USEC_PER_SEC }, { "day", 86400 * USEC_PER_SEC }, { "days", 86400 * USEC_PER_SEC },
	{ "w", 604800 * USEC_PER_SEC }, { "week", 604800 * USEC_PER_SEC }, { "weeks", 604800 * USEC_PER_SEC },
};

static const char *skip_space(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

/* The unit at s; seconds where no unit stands. *end is behind it. NULL: the word at s is no unit. */
static const struct unit *unit_at(const char *s, const char **end)
{
	static const struct unit seconds = { "", USEC_PER_SEC };
	size_t length = 0;

	while (isalpha((unsigned char)s[length]))
		length++;
	*end = s + length;
	if (length == 0)
		return &seconds;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == length && strncmp(units[i].name, s, length) == 0)
			return &units[i];
	return NULL;
}

/* Adds value * factor to *sum. */
static int add_scaled(uint64_t *sum, uint64_t value, uint64_t factor)
{
	uint64_t product;

	if (__builtin_mul_overflow(value, factor, &product) || __builtin_add_overflow(*sum, product, sum))
		return -ERANGE;
	return 0;
}

/* Reads a term, "1.5min": digits, perhaps a fraction, perhaps a unit. Moves *s behind it. */
static int parse_term(const char **s, uint64_t *sum)
{
	uint64_t whole = 0, fraction = 0, scale = 1;
	const struct unit *unit;
	const char *p = *s;
	int r = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(whole, 10u, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			r = -ERANGE;
	}
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return -EINVAL;
		for (; isdigit((unsigned char)*p); p++) {
			if (scale < 1000000) {
				fraction = fraction * 10 + (uint64_t)(*p - '0');
				scale *= 10;
			}
		}
	}
	p = skip_space(p);
	unit = unit_at(p, &p);
	if (!unit)
		return -EINVAL;
	*s = skip_space(p);
	if (r == 0)
		r = add_scaled(sum, whole, unit->usec) ?: add_scaled(sum, fraction * unit->usec / scale, 1);
	return r;
}

int timespan_parse(const char *s, uint64_t *ret_usec)
{
	uint64_t sum = 0;
	int r = 0;

	s = skip_space(s);
	do {
		int term = parse_term(&s, &sum);

		if (term == -EINVAL)
			return term;
		if (term < 0)
			r = term;
	} while (*s);
	if (r == 0)
		*ret_usec = sum;
	return r;
}

const char *timespan_format(uint64_t usec, char *buffer, size_t size)
{
	static const struct {
		const char *name;
		uint64_t usec;
	} steps[] = {
		{ "d", 86400 * USEC_PER_SEC }, { "h", 3600 * USEC_PER_SEC }, { "min", 60 * USEC_PER_SEC },
		{ "s", USEC_PER_SEC },
	};

	for (size_t i = 0; i < 3; i++) {
		if (usec < steps[i].usec)
			continue;
		(void)snprintf(buffer, size, "%llu%s %llu%s",
			       (unsigned long long)(usec / steps[i].usec), steps[i].name,
			       (unsigned long long)(usec % steps[i].usec / steps[i + 1].usec), steps[i + 1].name);
		return buffer;
	}
	if (usec >= USEC_PER_SEC)
		(void)snprintf(buffer, size, "%.1fs", (double)usec / 1e6);
	else
		(void)snprintf(buffer, size, "%.4gms", (double)usec / 1e3);
	return buffer;
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts); /* cannot fail: the clock exists and ts is valid */
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t now_realtime(void)
{
	return now(CLOCK_REALTIME);
}

uint64_t now_boottime(void)
{
	return now(CLOCK_BOOTTIME);
}

uint64_t now_monotonic(void)
{
	return now(CLOCK_MONOTONIC);
}

uint64_t now_coarse(void)
{
	return now(CLOCK_MONOTONIC_COARSE);
}

uint64_t wall_time(uint64_t boottime_usec)
{
	return now_realtime() - now_boottime() + boottime_usec;
}
