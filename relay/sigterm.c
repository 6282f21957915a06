/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sigterm.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "system/timespan.h"

static volatile sig_atomic_t pending;
static bool is_watched, is_remembered;
static sigset_t sleeping_mask; /* the process's own, but for the signals that are let in while it sleeps */

static void note(int signal_number)
{
	(void)signal_number;
	pending = 1;
}

int sigterm_setup(void)
{
	struct sigaction action = { .sa_handler = note };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
	    sigprocmask(SIG_BLOCK, &set, &sleeping_mask) < 0)
		return -errno;
	(void)sigdelset(&sleeping_mask, SIGTERM);
	(void)sigdelset(&sleeping_mask, SIGINT);
	return 0;
}

int sigterm_inherit(void)
{
	sigset_t mask;
	int r;

	is_watched = false;
	/* Handlers first, and then the mask: a SIGTERM that comes now must find its handler. */
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	r = sigterm_setup();
	(void)signal(SIGINT, SIG_IGN); /* a terminal sends it to all of us; the parent decides */
	(void)sigemptyset(&mask);
	sleeping_mask = mask;
	(void)sigaddset(&mask, SIGTERM);
	return r < 0 ? r : sigprocmask(SIG_SETMASK, &mask, NULL) < 0 ? -errno : 0;
}

static bool is_blocked_one(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, SIGTERM) == 1;
}

void sigterm_watch(void)
{
	is_watched = true;
}

void sigterm_remember(void)
{
	is_remembered = true;
}

bool sigterm_pending(void)
{
	return pending || is_blocked_one();
}

bool sigterm_is_asked(void)
{
	sigset_t set;

	if (!is_watched)
		return sigterm_pending();
	return is_remembered ||
	       (sigpending(&set) == 0 && (sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1));
}

void sigterm_forgive(void)
{
	static const struct timespec at_once = { 0 };
	sigset_t set;

	pending = 0;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	if (is_blocked_one())
		(void)sigtimedwait(&set, NULL, &at_once);
}

int sigterm_epoll(int epoll_fd, struct epoll_event *ret)
{
	int r;

	if (pending)
		return -EINTR;
	do
		r = epoll_pwait(epoll_fd, ret, 1, -1, &sleeping_mask);
	while (r < 0 && errno == EINTR && !pending);
	return r < 0 ? -errno : r;
}

int sigterm_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_usec)
{
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_usec / USEC_PER_SEC),
		.tv_nsec = (long)(timeout_usec % USEC_PER_SEC * 1000),
	};
	int r;

	if (pending)
		return -EINTR;
	do
		r = ppoll(fds, n, timeout_usec == NO_TIMEOUT ? NULL : &timeout, &sleeping_mask);
	while (r < 0 && errno == EINTR && !pending);
	return r < 0 ? -errno : r;
}
