/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * range.h: thresholds as monitoring plugins take them: "10" alerts outside of 0
 * to 10, "10:" below 10, "~:10" above 10, "10:20" outside, "@10:20" inside. A bound may be negative.
 */

#include <stdbool.h>

struct range {
	double low, high;          /* infinite where there is no bound */
	bool inside;               /* alert inside instead of outside */
};

/* Reads a range. 0 and *ret, or -EINVAL. */
int range_parse(const char *text, struct range *ret);

/* Whether the range alerts at the value. */
bool range_alerts(const struct range *range, double value);
