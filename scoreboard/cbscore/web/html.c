/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "html.h"

#include <inttypes.h>
#include <string.h>

#include "system/timespan.h"

void html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			(void)fputs("&amp;", out);
			break;
		case '<':
			(void)fputs("&lt;", out);
			break;
		case '>':
			(void)fputs("&gt;", out);
			break;
		case '"':
			(void)fputs("&quot;", out);
			break;
		case '\'':
			(void)fputs("&#39;", out);
			break;
		default:
			(void)fputc(*text, out);
		}
	}
}

void html_age(FILE *out, uint64_t usec)
{
	uint64_t seconds = usec / USEC_PER_SEC;

	if (seconds == 0)
		(void)fputs("now", out);
	else if (seconds < 120)
		(void)fprintf(out, "%" PRIu64 " s", seconds);
	else if (seconds < 7200)
		(void)fprintf(out, "%" PRIu64 " min", seconds / 60);
	else if (seconds < 172800)
		(void)fprintf(out, "%" PRIu64 " h", seconds / 3600);
	else
		(void)fprintf(out, "%" PRIu64 " d", seconds / 86400);
}

void html_span(FILE *out, uint64_t usec)
{
	double seconds = (double)usec / (double)USEC_PER_SEC;

	if (usec < 1000000)
		(void)fprintf(out, "%.0f ms", seconds * 1000);
	else if (usec < 10000000)
		(void)fprintf(out, "%.1f s", seconds);
	else
		html_age(out, usec);
}

void html_bytes(FILE *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	(void)fprintf(out, "%.*f %s", unit > 0 && value < 10 ? 1 : 0, value, units[unit]);
}

void html_count(FILE *out, uint64_t count)
{
	char digits[24];
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, count);

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			(void)fputs("\u202f", out);
		(void)fputc(digits[i], out);
	}
}
