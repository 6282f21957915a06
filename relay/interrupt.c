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

int interrupt_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_usec)
{
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_usec / USEC_PER_SEC),
		.tv_nsec = (long)(timeout_usec % USEC_PER_SEC * 1000),
	};
	sigset_t open;
	int r;

	if (pending)
		return -EINTR;
	if (sigprocmask(SIG_SETMASK, NULL, &open) < 0)
		return -errno;
	(void)sigdelset(&open, SIGTERM);
	(void)sigdelset(&open, SIGINT);
	do
		r = ppoll(fds, n, timeout_usec == NO_TIMEOUT ? NULL : &timeout, &open);
	while (r < 0 && errno == EINTR && !pending);
	return r < 0 ? -errno : r;
}
