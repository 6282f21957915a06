/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "range.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "system/number.h"

#define VALUE_MAX 1e15

/* Reads a bound. No figure of a farm is negative, but a range may begin or end below 0. */
static int bound_parse(const char *text, double *ret)
{
	bool is_negative = *text == '-';
	int r = number_parse_decimal(text + is_negative, 0, VALUE_MAX, ret);

	if (r == 0 && is_negative)
		*ret = -*ret;
	return r;
}

int range_parse(const char *text, struct range *ret)
{
	struct range range = { .low = 0, .high = INFINITY };
	const char *colon;
	char low[32];

	range.inside = *text == '@';
	text += range.inside;
	colon = strchr(text, ':');
	if (colon) {
		if ((size_t)snprintf(low, sizeof(low), "%.*s", (int)(colon - text), text) >= sizeof(low))
			return -EINVAL;
		if (strcmp(low, "~") == 0)
			range.low = -INFINITY;
		else if (*low && bound_parse(low, &range.low) < 0)
			return -EINVAL;
		text = colon + 1;
	}
	if (*text ? bound_parse(text, &range.high) < 0 : !colon)
		return -EINVAL;
	if (range.low > range.high)
		return -EINVAL;
	*ret = range;
	return 0;
}

bool range_alerts(const struct range *range, double value)
{
	bool inside = value >= range->low && value <= range->high;

	return inside == range->inside;
}
