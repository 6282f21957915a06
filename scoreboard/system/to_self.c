/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "to_self.h"

#include <signal.h>

/* A timer of a process signals no other process. */
static bool send_by_timer(int number, timer_t *ret)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
	const struct itimerspec at_once = { .it_value.tv_nsec = 1 };
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (timer_create(CLOCK_MONOTONIC, &event, ret) < 0)
		return false;
	(void)timer_settime(*ret, 0, &at_once, NULL);
	(void)nanosleep(&pause, NULL); /* far longer than a timer takes that is due */
	return true;
}

void to_self_send(int number, struct to_self *ret)
{
	ret->by_timer = raise(number) != 0 && send_by_timer(number, &ret->timer);
}

void to_self_end(struct to_self *sent)
{
	if (sent->by_timer)
		(void)timer_delete(sent->timer);
	sent->by_timer = false;
}
