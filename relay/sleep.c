/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * sleep.c: the port that a process is woken by is one descriptor more in the same
 * poll(2): no system call is made for it until a question comes.
 */

#include "sleep.h"

#include <stddef.h>

#include "sigterm.h"
#include "system/timespan.h"

static struct score *asked_about;

void sleep_for(struct score *score)
{
	asked_about = score;
}

/* What is left of a timeout that began at begun_usec. */
static uint64_t rest(uint64_t timeout_usec, uint64_t begun_usec)
{
	uint64_t slept_usec = now_boottime() - begun_usec;

	return timeout_usec == NO_TIMEOUT ? NO_TIMEOUT : timeout_usec > slept_usec ? timeout_usec - slept_usec : 0;
}

int sleep_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_usec)
{
	struct pollfd all[SLEEP_FDS_MAX + 1];
	uint64_t begun_usec = now_boottime(), left_usec = timeout_usec;
	int r;

	for (;;) {
		for (nfds_t i = 0; i < n; i++)
			all[i] = fds[i];
		all[n] = (struct pollfd){ .fd = score_wake_fd(asked_about), .events = POLLIN };
		r = sigterm_poll(all, n + 1, left_usec);
		if (r > 0 && all[n].revents) {
			(void)score_wake_clear(asked_about);
			r--;
			left_usec = rest(timeout_usec, begun_usec);
			if (r == 0 && left_usec > 0)
				continue;
		}
		for (nfds_t i = 0; i < n; i++)
			fds[i].revents = all[i].revents;
		return r;
	}
}
