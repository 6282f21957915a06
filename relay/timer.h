/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * timer.h: a timer that goes off once, and can then be set again.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <systemd/sd-event.h>

struct timer {
	sd_event_source *source;  /* NULL: not set */
	void (*fn)(void *arg);
	void *arg;
};

/*
 * Has fn called in so many microseconds of a clock, or up to slack_usec later (0: up
 * to a quarter of a second, as sd-event likes it). By then the timer is not set any
 * more. A timer that is set already stays as it is. 0 or -errno.
 */
int timer_set(struct timer *timer, sd_event *event, clockid_t clock, uint64_t usec, uint64_t slack_usec,
	      void (*fn)(void *arg), void *arg);

/* Whether the timer is set. */
static inline bool timer_is_set(const struct timer *timer)
{
	return timer->source != NULL;
}

/* Takes the timer back, if it is set. */
void timer_clear(struct timer *timer);
