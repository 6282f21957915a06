/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * waiting.c: what a program is told of a wait for the lock, in words.
 */

#include "scoreboard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/wait.h"
#include "system/sigtstp.h"

static void (*on_wait)(const char *what);

static void tell(const struct wait_told *told)
{
	char text[256], holder[64] = "a process that cannot be found out";
	double waited = (double)told->waited_usec / 1e6;

	if (told->pid > 0)
		(void)snprintf(holder, sizeof(holder), "process %ld%s%s%s", (long)told->pid, *told->name ? " (" : "", told->name,
			       *told->name ? ")" : "");
	if (told->is_tool)
		(void)snprintf(text, sizeof(text), "waited for the scoreboard for %.1f s: %s keeps records of it locked, "
			       "as tdbtool(8) does", waited, holder);
	else if (!told->stopped)
		(void)snprintf(text, sizeof(text), "waiting for the scoreboard for %.1f s: %s has its lock", waited, holder);
	else if (told->woken == 0)
		(void)snprintf(text, sizeof(text), "waiting for the scoreboard for %.1f s: %s has its lock and was stopped; "
			       "it is continued", waited, holder);
	else
		(void)snprintf(text, sizeof(text), "waiting for the scoreboard for %.1f s: %s has its lock and was stopped; "
			       "it cannot be continued: %s", waited, holder, strerror(-told->woken));
	on_wait(text);
}

void score_on_wait(void (*fn)(const char *what), bool (*is_ended)(void))
{
	on_wait = fn;
	wait_call(fn ? tell : NULL, is_ended);
}

void score_defer_stop(void)
{
	sigtstp_defer();
}
