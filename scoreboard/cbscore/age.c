/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "age.h"

#include <inttypes.h>
#include <stdio.h>

#include "system/timespan.h"

const char *age_format(uint64_t usec, char text[static AGE_MAX])
{
	uint64_t seconds = usec / USEC_PER_SEC;

	if (seconds < 60)
		(void)snprintf(text, AGE_MAX, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		(void)snprintf(text, AGE_MAX, "%" PRIu64 "m", seconds / 60);
	else if (seconds < 48 * 3600)
		(void)snprintf(text, AGE_MAX, "%" PRIu64 "h", seconds / 3600);
	else
		(void)snprintf(text, AGE_MAX, "%" PRIu64 "d", seconds / 86400);
	return text;
}

uint64_t age_of(uint64_t since_usec)
{
	uint64_t now_usec = now_realtime();

	return now_usec > since_usec ? now_usec - since_usec : 0;
}
