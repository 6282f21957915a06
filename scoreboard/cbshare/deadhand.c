/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * deadhand.c: the process sleeps until the lease's end, and at most a quarter of a
 * second: the lease may be renewed meanwhile, or the scoreboard replaced. It must work
 * when memory is short. So its memory is locked, and the kernel's memory killer takes
 * other processes first, as far as this process has the rights for both.
 *
 * A pipe of which cbshare has the other end tells it of cbshare's end: a byte means that
 * all is given back, an end of file that cbshare is gone.
 */

#include "deadhand.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "closing.h"
#include "system/say.h"
#include "system/timespan.h"

#define LOOK_USEC (250 * USEC_PER_MSEC)
#define AGAIN_USEC (50 * USEC_PER_MSEC) /* between two rounds of ending what is still there */

static int pipe_fd = -1;
static pid_t process;

/* ---- in the process ---- */

/* Where the limit of locked memory cannot be lifted, only the present memory is locked: with MCL_FUTURE a later allocation
 * would fail at the limit. */
static void be_kept(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	struct rlimit limit = { 0 };

	if (fd >= 0) {
		(void)!write(fd, "-900", 4);
		(void)close(fd);
	}
	(void)setrlimit(RLIMIT_MEMLOCK, &all);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		(void)mlockall(limit.rlim_cur == RLIM_INFINITY ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT);
	(void)prctl(PR_SET_NAME, "cbshare-hand");
}

/* How long the process sleeps: until the lease is over, if that is sooner than the next look. */
static uint64_t time_to_sleep(uint64_t lease_usec, uint64_t now_usec)
{
	uint64_t left_usec = lease_usec > now_usec ? lease_usec - now_usec : AGAIN_USEC;

	return lease_usec == 0 || left_usec > LOOK_USEC ? LOOK_USEC : left_usec;
}

/* Ends what runs. Returns whether there was anything. */
static bool end_all(struct score *score)
{
	size_t n = 0;
	int r = closing_run(score, &n);

	if (r < 0)
		say(LOG_CRIT, "the lease is over, and what runs cannot be ended: %s", score_strerror(r));
	else if (n > 0)
		say(LOG_WARNING, "the lease is over: %zu connection%s ended", n, n == 1 ? "" : "s");
	return r < 0 || n > 0;
}

/* Whether another cbshare, which has such a process, has renewed the lease since this process lost its cbshare. What the lease was
 * then is read when cbshare is gone, and not before: it may have renewed the lease in its last moment. */
static bool is_replaced(uint64_t lease_usec)
{
	static uint64_t orphaned_usec;

	if (orphaned_usec == 0)
		orphaned_usec = lease_usec;
	return lease_usec > orphaned_usec;
}

/* Looks at the lease, and ends what runs behind its end. Returns how long to sleep. */
static uint64_t look(struct score *score, bool is_orphan)
{
	struct score_totals totals;
	bool is_busy;
	int r;

	(void)score_follow(score);
	r = score_totals(score, &totals);
	if (r == -EPROTO && is_orphan)
		_exit(0); /* an upgrade: the next cbshare, which has such a process, can read it */
	if (r < 0)
		return AGAIN_USEC;
	is_busy = totals.lapsed && end_all(score);
	if (is_orphan && ((totals.lapsed && !is_busy) || is_replaced(totals.lease_usec)))
		_exit(0);
	return time_to_sleep(totals.lapsed && !is_busy ? 0 : totals.lease_usec, now_boottime());
}

static _Noreturn void watch(struct score *score, int from_cbshare)
{
	struct pollfd fd = { .fd = from_cbshare, .events = POLLIN };
	bool is_orphan = false;

	for (;;) {
		uint64_t sleep_usec = look(score, is_orphan);
		const struct timespec time = {
			.tv_sec = (time_t)(sleep_usec / USEC_PER_SEC),
			.tv_nsec = (long)(sleep_usec % USEC_PER_SEC * 1000),
		};
		char byte;

		if (ppoll(&fd, 1, &time, NULL) <= 0)
			continue;
		if (read(from_cbshare, &byte, 1) == 1)
			_exit(0);
		is_orphan = true;
		fd.fd = -1;
	}
}

/* Signals for cbshare, of a terminal or a service manager, are not for this process: cbshare tells it when to end. */
static void ignore_signals(void)
{
	sigset_t none;

	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- in cbshare ---- */

pid_t deadhand_start(struct score *score)
{
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		r = -errno;
		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	if (pid == 0) {
		(void)close(fds[1]);
		if (pipe_fd >= 0)
			(void)close(pipe_fd); /* the former process's */
		ignore_signals();
		be_kept();
		score_after_fork(score);
		watch(score, fds[0]);
	}
	(void)close(fds[0]);
	if (pipe_fd >= 0)
		(void)close(pipe_fd);
	pipe_fd = fds[1];
	process = pid;
	return pid;
}

void deadhand_end(void)
{
	if (pipe_fd >= 0)
		(void)!write(pipe_fd, "", 1);
}

bool deadhand_is(pid_t pid)
{
	return process > 0 && pid == process;
}
