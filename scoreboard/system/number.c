/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * number.c: strtoul(3) and strtod(3) take more than a number: a sign, blanks,
 * and "inf". Only digits reach them here.
 */

#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int take(const char **text, int base, uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (base == 16 ? !isxdigit((unsigned char)**text) : !isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	value = strtoull(*text, &end, base);
	if (errno || value > max)
		return -ERANGE;
	*text = end;
	*ret = value;
	return 0;
}

static int parse(const char *text, int base, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	int r = take(&text, base, max, &value);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	if (value < min)
		return -ERANGE;
	*ret = value;
	return 0;
}

int number_take(const char **text, uint64_t max, uint64_t *ret)
{
	return take(text, 10, max, ret);
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	return parse(text, 10, min, max, ret);
}

int number_parse_hex(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	/* strtoull(3) would accept a second 0x behind the first. */
	if (hex && text[2] == '0' && (text[3] == 'x' || text[3] == 'X'))
		return -EINVAL;
	return hex ? parse(text + 2, 16, min, max, ret) : parse(text, 10, min, max, ret);
}

int number_parse_decimal(const char *text, double min, double max, double *ret)
{
	double value;
	char *end;

	if (!*text || strspn(text, "0123456789.") != strlen(text))
		return -EINVAL;
	value = strtod(text, &end);
	if (*end || end == text)
		return -EINVAL;
	if (!(value >= min && value <= max))
		return -ERANGE;
	*ret = value;
	return 0;
}
