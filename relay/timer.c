/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "timer.h"

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct timer *timer = arg;

	(void)source;
	(void)usec;
	timer_clear(timer);
	timer->fn(timer->arg);
	return 0;
}

int timer_set(struct timer *timer, sd_event *event, clockid_t clock, uint64_t usec, uint64_t slack_usec,
	      void (*fn)(void *arg), void *arg)
{
	if (timer->source)
		return 0;
	timer->fn = fn;
	timer->arg = arg;
	return sd_event_add_time_relative(event, &timer->source, clock, usec, slack_usec, on_time, timer);
}

void timer_clear(struct timer *timer)
{
	timer->source = sd_event_source_disable_unref(timer->source);
}
