/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * sigterm.c: a handler notes the signal. It may run between a test of the note
 * and the sleep that follows; therefore the handler also sets the timeout of
 * the next sleep to zero. The kernel reads the timeout when the call begins: a
 * signal that comes before that ends the sleep at once, and a signal that comes
 * later interrupts it. So neither a mask nor sigpending(2) is needed, and
 * asking for the note costs no system call.
 */

#include "sigterm.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "system/timespan.h"

#define FOREVER_SEC 1000000000 /* a timeout must be there to be set to zero */

static volatile sig_atomic_t pending;
static volatile struct timespec timeout; /* of the present or the next sleep */
static bool is_watched, is_remembered;

static void note(int signal_number)
{
	(void)signal_number;
	pending = 1;
	timeout.tv_sec = 0;
	timeout.tv_nsec = 0;
}

static int handle(int signal_number)
{
	/* Sleeps in other code, for the scoreboard or a line of the log, go on. */
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };

	return sigaction(signal_number, &action, NULL);
}

/* The kernel is called directly: for the C library's functions a relay would map two more places of that library. */
static int unblock_all(void)
{
	const uint64_t none = 0; /* the kernel's set of signals: a bit each */

	return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

int sigterm_setup(void)
{
	return handle(SIGTERM) < 0 || handle(SIGINT) < 0 || unblock_all() < 0 ? -errno : 0;
}

int sigterm_prepare(void)
{
	is_watched = false;
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGINT, SIG_IGN); /* a terminal sends it to all processes of the group; the parent decides */
	return handle(SIGTERM) < 0 ? -errno : 0;
}

int sigterm_begin(void)
{
	return unblock_all() < 0 ? -errno : 0;
}

int sigterm_inherit(void)
{
	int r = sigterm_prepare();

	/* Handlers first, and then the mask: a SIGTERM that comes now must find its handler. */
	return r < 0 ? r : sigterm_begin();
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
	return pending;
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
	pending = 0;
}

void sigterm_again(void)
{
	note(SIGTERM);
}

static void set_timeout(uint64_t usec)
{
	timeout.tv_sec = usec == NO_TIMEOUT ? FOREVER_SEC : (time_t)(usec / USEC_PER_SEC);
	timeout.tv_nsec = usec == NO_TIMEOUT ? 0 : (long)(usec % USEC_PER_SEC * 1000);
}

/* Whether a sleep that returned r is to go on. */
static bool sleeps_on(long r)
{
	return r < 0 && errno == EINTR && !pending;
}

static int outcome(long r)
{
	return pending && r <= 0 ? -EINTR : r < 0 ? -errno : (int)r;
}

int sigterm_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_usec)
{
	long r;

	set_timeout(timeout_usec);
	if (pending)
		return -EINTR;
	do
		r = syscall(SYS_ppoll, fds, n, &timeout, NULL, 0); /* the kernel leaves in it what is left */
	while (sleeps_on(r));
	return outcome(r);
}

/* For kernels before 5.11, and for what stands in for a kernel and knows no epoll_pwait2(2), as valgrind 3.19. */
static int epoll_in_two_steps(int epoll_fd, struct epoll_event *ret)
{
	int r;

	do {
		r = sigterm_poll(&(struct pollfd){ .fd = epoll_fd, .events = POLLIN }, 1, NO_TIMEOUT);
		if (r < 0)
			return r;
		r = epoll_wait(epoll_fd, ret, 1, 0);
	} while (r == 0); /* the event was another process's */
	return r < 0 ? -errno : r;
}

int sigterm_epoll(int epoll_fd, struct epoll_event *ret)
{
	long r;

	do {
		set_timeout(NO_TIMEOUT);
		if (pending)
			return -EINTR;
		/* The C library's function would copy the timeout. */
		r = syscall(SYS_epoll_pwait2, epoll_fd, ret, 1, &timeout, NULL, 0);
	} while (sleeps_on(r));
	return r < 0 && errno == ENOSYS ? epoll_in_two_steps(epoll_fd, ret) : outcome(r);
}
