/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * resident.c: the rhythm. The timer is set once, to the time of the first
 * pass and the interval. The kernel counts from there, so that the lengths of
 * passes do not add up. After a pass that takes longer than the interval, the next
 * pass begins at the next time that is due; missed passes are not made up for.
 */

#include "resident.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "beside.h"
#include "quit.h"
#include "system/say.h"
#include "service.h"
#include "system/timespan.h"

struct resident {
	struct score *score;
	const struct resident_options *options;
	int timer_fd, hangup_fd;
	bool complained;             /* said that a pass was longer than the interval */
	bool damaged;                /* the last pass had no result, as the scoreboard is damaged */
};

/* A timer at now, and every interval from then on. */
static int open_timer(uint64_t interval_usec)
{
	const uint64_t now_usec = now_monotonic();
	const struct itimerspec when = {
		.it_value = { (time_t)(now_usec / USEC_PER_SEC), (long)(now_usec % USEC_PER_SEC * 1000) },
		.it_interval = { (time_t)(interval_usec / USEC_PER_SEC), (long)(interval_usec % USEC_PER_SEC * 1000) },
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

static int open_hangup(void)
{
	sigset_t hangup;
	int fd;

	(void)sigemptyset(&hangup);
	(void)sigaddset(&hangup, SIGHUP);
	fd = signalfd(-1, &hangup, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int handle_hangup(struct resident *resident)
{
	struct signalfd_siginfo info;
	char text[64];
	int r;

	if (read(resident->hangup_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (!resident->options->reload) {
		say(LOG_NOTICE, "SIGHUP: nothing to load, as --file was not given");
		return 0;
	}
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_monotonic());
	service_tell(text);
	quit_allow(); /* the reload may resolve names for long; SIGTERM during it is no worse than SIGKILL */
	r = resident->options->reload(resident->score);
	quit_deny();
	service_tell("READY=1");
	return r;
}

/* Whether the time of a pass has come. */
static bool handle_timer(struct resident *resident)
{
	uint64_t times;
	char text[64];

	if (read(resident->timer_fd, &times, sizeof(times)) != sizeof(times))
		return false;
	if (times > 1 && !resident->complained) {
		say(LOG_WARNING, "a pass took longer than --interval %s: what it missed is left out",
		    timespan_format(resident->options->interval_usec, text, sizeof(text)));
		resident->complained = true;
	}
	return true;
}

/* Sleeps until the time of the next pass. 0 or -errno. */
static int await_pass(struct resident *resident)
{
	struct pollfd fds[] = {
		{ .fd = resident->timer_fd, .events = POLLIN },
		{ .fd = resident->hangup_fd, .events = POLLIN },
		{ .fd = beside_fd(), .events = POLLIN },
		{ .fd = score_wake_fd(resident->score), .events = POLLIN },
	};

	for (;;) {
		int n, r = 0;

		quit_allow();
		n = poll(fds, sizeof(fds) / sizeof(fds[0]), -1);
		r = n < 0 ? -errno : 0;
		quit_deny();
		if (r == -EINTR)
			continue;
		if (r < 0)
			return r;
		beside_work();
		(void)score_wake_clear(resident->score); /* if slots are lost, this answers that this process holds none of them */
		r = handle_hangup(resident);
		if (r < 0)
			return r;
		if (handle_timer(resident))
			return 0;
	}
}

static void tell_status(struct resident *resident)
{
	struct score_totals totals;

	if (score_totals(resident->score, &totals) == 0)
		service_status("%u of %u nodes up", totals.nodes_up, totals.nodes);
}

/*
 * Judges the result of a pass. A damaged scoreboard that this process cannot rebuild,
 * for want of rights in its folder or of /proc, is rebuilt by another process: until
 * then passes have no result. 1: the pass was made; 0: it had no result; or -errno.
 */
static int judge_pass(struct resident *resident, int r)
{
	const bool damaged = r == -EUCLEAN || r == -EBADMSG;

	if (damaged && !resident->damaged)
		say(LOG_ERR, "the scoreboard is damaged, and cannot be rebuilt from here: no node is checked until it is rebuilt");
	resident->damaged = damaged;
	return damaged ? 0 : r < 0 ? r : 1;
}

static int make_passes(struct resident *resident, const struct settings *pass)
{
	for (bool ready = false;;) {
		int r = await_pass(resident);

		if (r < 0)
			return r;
		/* Other processes would not see what is noted in a file that is no longer the scoreboard. What this
		 * process cannot put back, without /proc or rights in the folder, other processes put back. */
		(void)score_follow(resident->score);
		r = judge_pass(resident, pass_run(resident->score, pass));
		if (r < 0)
			return r;
		quit_deny();
		if (r > 0) {
			tell_status(resident);
			if (!ready)
				service_tell("READY=1"); /* from now on the scoreboard has results of checks */
			ready = true;
		}
		quit_allow();
	}
}

int resident_run(struct score *score, const struct settings *pass, const struct resident_options *options)
{
	struct resident resident = { .score = score, .options = options, .timer_fd = -1 };
	int r;

	resident.hangup_fd = open_hangup();
	if (resident.hangup_fd < 0)
		return resident.hangup_fd;
	resident.timer_fd = open_timer(options->interval_usec);
	r = resident.timer_fd;
	if (r >= 0)
		r = make_passes(&resident, pass);
	if (resident.timer_fd >= 0)
		(void)close(resident.timer_fd);
	(void)close(resident.hangup_fd);
	return r;
}
