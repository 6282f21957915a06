/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define MODE_MASK 022

static int occupy_standard_fds(void)
{
	/* open(2) gives the lowest free number, and those below fd are taken. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return -errno;
	return 0;
}

static void stop_timers(void)
{
	const struct itimerval none = { 0 };

	(void)setitimer(ITIMER_REAL, &none, NULL);
	(void)setitimer(ITIMER_VIRTUAL, &none, NULL);
	(void)setitimer(ITIMER_PROF, &none, NULL);
}

/* Whether the process that started the program may have set the signal's disposition on purpose. */
static int is_meant(int signal_number)
{
	switch (signal_number) {
	case SIGHUP:
	case SIGINT:
	case SIGQUIT:
	case SIGTERM: /* may be pending, and ends the program then */
	case SIGTSTP:
	case SIGCONT:
		return 1;
	default:
		return 0;
	}
}

/* Ignores signals, which discards those that are pending: they were sent to the program that ran before. */
static void settle_signals(int kept)
{
	struct sigaction action;
	sigset_t blocked;

	/* A handler is never inherited: a library of this program has set it already, so it stays. */
	for (int i = 1; i <= SIGRTMAX; i++)
		if (!is_meant(i) && sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
			(void)signal(i, SIG_IGN); /* fails for SIGKILL, SIGSTOP and the C library's own signals */
	(void)sigemptyset(&blocked);
	if (kept != 0)
		(void)sigaddset(&blocked, kept);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	for (int i = 1; i <= SIGRTMAX; i++)
		if ((!is_meant(i) || i == SIGTERM) && i != SIGXFSZ && sigaction(i, NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			(void)signal(i, SIG_DFL);
}

static void raise_limit(int which)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(which, &limit); /* if this fails, the limit stays as it is */
}

/* A soft limit is a default for programs that cannot know better, and has its effect long after the start. */
static void raise_limits(void)
{
	static const int which[] = { RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_AS };

	for (size_t i = 0; i < sizeof(which) / sizeof(*which); i++)
		raise_limit(which[i]);
}

void inherited_raise_descriptors(void)
{
	raise_limit(RLIMIT_NOFILE);
}

int inherited_settle(int kept)
{
	int r = occupy_standard_fds();

	if (r < 0)
		return r;
	stop_timers();
	settle_signals(kept);
	raise_limits();
	(void)umask(MODE_MASK);
	return 0;
}
