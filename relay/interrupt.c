/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "timespan.h"

static volatile sig_atomic_t pending;

static void note(int signal_number)
{
	(void)signal_number;
	pending = 1;
}

int interrupt_setup(void)
{
	struct sigaction action = { .sa_handler = note };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
	    sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return 0;
}

int interrupt_inherit(void)
{
	sigset_t mask;
	int r;

	/* Handlers first, and then the mask: a SIGTERM that comes now must find its handler. */
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	r = interrupt_setup();
	(void)signal(SIGINT, SIG_IGN); /* a terminal sends it to all of us; the parent decides */
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	return r < 0 ? r : sigprocmask(SIG_SETMASK, &mask, NULL) < 0 ? -errno : 0;
}

bool interrupt_pending(void)
{
	return pending;
}

void interrupt_close(int fd)
{
	static const struct linger clean = { 0 };
	sigset_t before, open;

	(void)sigemptyset(&open);
	(void)sigaddset(&open, SIGTERM);
	(void)sigprocmask(SIG_UNBLOCK, &open, &before);
	if (pending)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &clean, sizeof(clean));
	(void)close(fd);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* The signals that are let in while sleeping. 0 or -errno; -EINTR if one has come already. */
static int open_mask(sigset_t *ret)
{
	if (pending)
		return -EINTR;
	if (sigprocmask(SIG_SETMASK, NULL, ret) < 0)
		return -errno;
	(void)sigdelset(ret, SIGTERM);
	(void)sigdelset(ret, SIGINT);
	return 0;
}

int interrupt_epoll(int epoll_fd, struct epoll_event *ret)
{
	sigset_t open;
	int r = open_mask(&open);

	if (r < 0)
		return r;
	do
		r = epoll_pwait(epoll_fd, ret, 1, -1, &open);
	while (r < 0 && errno == EINTR && !pending);
	return r < 0 ? -errno : r;
}

int interrupt_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_usec)
{
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_usec / USEC_PER_SEC),
		.tv_nsec = (long)(timeout_usec % USEC_PER_SEC * 1000),
	};
	sigset_t open;
	int r = open_mask(&open);

	if (r < 0)
		return r;
	do
		r = ppoll(fds, n, timeout_usec == NO_TIMEOUT ? NULL : &timeout, &open);
	while (r < 0 && errno == EINTR && !pending);
	return r < 0 ? -errno : r;
}
