/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* preload-kill.h: a signal for a process that may not call raise(3): a relay, or its nursery. */

#include <signal.h>
#include <time.h>

/* A timer of the process's own signals it. Returns when the signal has been handled. */
static void signal_self(int number)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
	const struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	const struct timespec most = { .tv_sec = 60 };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0)
		(void)nanosleep(&most, NULL); /* the signal interrupts it */
}
