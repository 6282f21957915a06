/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * limit.c: which of the two limits counts may change at any moment, and no
 * process is told. But until the shorter limit is over neither matters: a waiter
 * sleeps until then. Only after that does it look at the farm, once in a while.
 */

#include "limit.h"

#include "sigterm.h"
#include "system/timespan.h"

static uint64_t shorter(const struct settings *settings)
{
	uint64_t queue_usec = settings->queue_timeout_usec, down_usec = settings->down_timeout_usec;

	return queue_usec && (!down_usec || queue_usec < down_usec) ? queue_usec : down_usec;
}

int limit_is_over(struct score *score, const struct settings *settings, uint64_t accepted_usec,
		  uint64_t *ret_look_usec)
{
	uint64_t now_usec = now_boottime(), usec = shorter(settings);
	int down;

	*ret_look_usec = NO_TIMEOUT;
	if (!usec)
		return 0;
	*ret_look_usec = accepted_usec + usec;
	if (now_usec < *ret_look_usec)
		return 0;
	down = score_is_down(score);
	if (down < 0)
		return down;
	usec = down ? settings->down_timeout_usec : settings->queue_timeout_usec;
	if (usec && now_usec - accepted_usec >= usec)
		return down ? CAUSE_DOWN_TIMEOUT : CAUSE_QUEUE_TIMEOUT;
	*ret_look_usec = now_usec + SCORE_GUARD_USEC;
	if (usec && accepted_usec + usec < *ret_look_usec)
		*ret_look_usec = accepted_usec + usec;
	return 0;
}
