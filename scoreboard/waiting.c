/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * waiting.c: what a program is told of a wait for the lock, in words.
 */

#include "scoreboard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/lock.h"

static void (*on_wait)(const char *what);

static void tell(const struct lock_wait *wait)
{
	char text[256], holder[64] = "a process that cannot be found out";
	double waited = (double)wait->waited_usec / 1e6;

	if (wait->pid > 0)
		(void)snprintf(holder, sizeof(holder), "process %ld%s%s%s", (long)wait->pid, *wait->name ? " (" : "", wait->name,
			       *wait->name ? ")" : "");
	if (!wait->stopped)
		(void)snprintf(text, sizeof(text), "waiting for the scoreboard for %.1f s: %s has its lock", waited, holder);
	else if (wait->woken == 0)
		(void)snprintf(text, sizeof(text), "waiting for the scoreboard for %.1f s: %s has its lock and was stopped; "
			       "it is continued", waited, holder);
	else
		(void)snprintf(text, sizeof(text), "waiting for the scoreboard for %.1f s: %s has its lock and was stopped; "
			       "it cannot be continued: %s", waited, holder, strerror(-wait->woken));
	on_wait(text);
}

void score_on_wait(void (*fn)(const char *what), bool (*is_ended)(void))
{
	on_wait = fn;
	lock_on_wait(fn ? tell : NULL, is_ended);
}

void score_defer_stop(void)
{
	lock_defer_stop();
}
