/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * loop.c: a round is a turn of the gateway, then a turn of the engine, which also
 * waits for signals. The scoreboard is looked at by the gateway's turns, as often as
 * the gateway asks.
 */

#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "closing.h"
#include "command/gateway_note.h"
#include "deadhand.h"
#include "etcd.h"
#include "fence.h"
#include "news.h"
#include "note.h"
#include "system/say.h"
#include "system/timespan.h"

#define ERROR_PAUSE_USEC (100 * USEC_PER_MSEC) /* the next turn after a turn that failed */
#define FOLLOW_USEC USEC_PER_SEC               /* between two looks whether the file is still the scoreboard */

static struct {
	const struct loop_setup *setup;
	int signal_fd;
	bool leaving, stopping;
	bool without_hand;           /* there is no process that watches the lease; that was told */
	int error, note_error;       /* of the gateway's last turn, and of its last note, which were told */
	uint64_t follow_usec, beat_usec, beat_every_usec;
	bool had_trouble;            /* with the engine; that was told */
} loop = { .signal_fd = -1 };

/* ---- hooks ---- */

static void end_connections(void)
{
	size_t n;

	if (closing_run(loop.setup->score, &n) == 0 && n > 0)
		say(LOG_WARNING, "the lease is over: %zu connection%s ended", n, n == 1 ? "" : "s");
}

void loop_told(void *context, const struct gateway_event *event)
{
	(void)context;
	news_tell(event);
	switch (event->kind) {
	case GATEWAY_LAPSED:
		end_connections();
		break;
	case GATEWAY_CAME:
	case GATEWAY_WENT:
	case GATEWAY_RECLAIMED:
	case GATEWAY_SPEAKS:
		if (event->peer)
			fence_end(event->peer);
		break;
	default:
		break;
	}
}

void loop_fence(void *context, const char *peer)
{
	(void)context;
	fence_begin(peer);
}

/* ---- signals ---- */

static void fill(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGUSR1);
	(void)sigaddset(set, SIGCHLD);
}

int loop_block_signals(void)
{
	sigset_t set;

	fill(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	loop.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return loop.signal_fd < 0 ? -errno : 0;
}

/* A dead hand that was killed is replaced: without it no process would end what runs if this process were stopped. Where that
 * fails it is tried again with the work beside. */
static void replace_deadhand(void)
{
	pid_t pid = deadhand_start(loop.setup->score);

	if (pid < 0 && !loop.without_hand)
		say(LOG_CRIT, "the process that watches the lease has ended, and no other can be started: %s", strerror(-pid));
	else if (pid >= 0)
		say(LOG_WARNING, "the process that watches the lease has ended, and was started again");
	loop.without_hand = pid < 0;
}

static void wait_for_children(void)
{
	const char *fenced;
	siginfo_t info;

	while (info.si_pid = 0, waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		pid_t pid = info.si_pid;

		if (fence_ended(pid, &fenced)) {
			if (fenced)
				gateway_fenced(loop.setup->gateway, fenced);
			continue;
		}
		(void)waitpid(pid, NULL, 0);
		if (deadhand_is(pid))
			replace_deadhand();
	}
}

static void leave(void)
{
	if (loop.leaving) {
		loop.stopping = true;
		return;
	}
	loop.leaving = true;
	(void)sd_notify(0, "STOPPING=1");
	gateway_leave(loop.setup->gateway);
}

static void take_signals(void)
{
	struct signalfd_siginfo info;

	while (read(loop.signal_fd, &info, sizeof(info)) == sizeof(info))
		switch (info.ssi_signo) {
		case SIGCHLD:
			wait_for_children();
			break;
		case SIGUSR1:
			loop.stopping = true;
			break;
		default:
			leave();
			break;
		}
}

/* ---- a round ---- */

static void note_error(int r)
{
	if (r < 0 && r != loop.error)
		say(LOG_ERR, "the scoreboard: %s", score_strerror(r));
	loop.error = r;
}

/* Says when the engine begins to fail, and when it works again: an engine that is full answers what changes nothing. */
static void tell_trouble(const char *trouble)
{
	struct gateway_status status = { .settled = true };

	if (!trouble && loop.had_trouble)
		gateway_status(loop.setup->gateway, &status);
	if (!trouble && !status.settled)
		return;
	if (trouble && !loop.had_trouble)
		say(LOG_WARNING, "the engine: %s", trouble);
	else if (!trouble && loop.had_trouble)
		say(LOG_NOTICE, "the engine answers again");
	loop.had_trouble = trouble != NULL;
}

/* Notes the gateways for cbscore. A full file system is told once. */
static void note(const struct gateway_status *status, uint64_t now_usec)
{
	int r = note_gateways(loop.setup->scoreboard, status, now_usec);

	if (r < 0 && r != loop.note_error)
		say(LOG_WARNING, "%s.gateways: %s", loop.setup->scoreboard, strerror(-r));
	loop.note_error = r;
}

/* What ran when the lease ended may not have been ended at once, as where descriptors were short. */
static void end_what_is_left(void)
{
	struct score_totals totals;

	if (score_totals(loop.setup->score, &totals) == 0 && totals.lapsed && totals.busy > 0)
		end_connections();
}

/* What is done about once a second, and the watchdog's beat. Returns when it is due again, CLOCK_BOOTTIME. */
static uint64_t work_beside(uint64_t now_usec)
{
	struct gateway_status status;

	if (now_usec >= loop.follow_usec) {
		(void)score_follow(loop.setup->score);
		gateway_status(loop.setup->gateway, &status);
		news_status(&status, now_usec, etcd_trouble(loop.setup->engine));
		note(&status, now_usec);
		end_what_is_left();
		if (loop.without_hand)
			replace_deadhand();
		loop.follow_usec = now_usec + FOLLOW_USEC;
	}
	if (loop.beat_every_usec > 0 && now_usec >= loop.beat_usec) {
		(void)sd_notify(0, "WATCHDOG=1");
		loop.beat_usec = now_usec + loop.beat_every_usec;
	}
	return loop.beat_every_usec > 0 && loop.beat_usec < loop.follow_usec ? loop.beat_usec : loop.follow_usec;
}

/* Milliseconds until the earliest of these times. */
static int time_left(uint64_t next_usec, uint64_t beside_usec, uint64_t fence_usec)
{
	uint64_t now_usec = now_boottime(), monotonic_usec = now_monotonic();
	uint64_t first_usec = next_usec < beside_usec ? next_usec : beside_usec;
	uint64_t left_usec = first_usec > now_usec ? first_usec - now_usec : 0;

	if (fence_usec != UINT64_MAX) {
		uint64_t fence_left_usec = fence_usec > monotonic_usec ? fence_usec - monotonic_usec : 0;

		left_usec = fence_left_usec < left_usec ? fence_left_usec : left_usec;
	}
	return (int)((left_usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

/* Whether there is nothing left to wait for. */
static bool is_over(void)
{
	struct gateway_status status;
	struct score_totals totals;

	if (loop.stopping || gateway_has_left(loop.setup->gateway))
		return true;
	if (!loop.leaving)
		return false;
	gateway_status(loop.setup->gateway, &status);
	/* Where the engine does not answer, or another gateway has the name, the lease's end does what leaving would have done. */
	return (etcd_trouble(loop.setup->engine) || !status.settled) && score_totals(loop.setup->score, &totals) == 0 &&
	       totals.lapsed && totals.busy == 0;
}

int loop_run(const struct loop_setup *setup)
{
	struct pollfd fd = { .fd = loop.signal_fd, .events = POLLIN };
	int r = 0;

	loop.setup = setup;
	if (sd_watchdog_enabled(0, &loop.beat_every_usec) <= 0)
		loop.beat_every_usec = 0;
	loop.beat_every_usec /= 3;
	(void)sd_notify(0, "READY=1");
	while (r >= 0 && !is_over()) {
		uint64_t now_usec = now_boottime(), next_usec = 0, fence_usec;

		note_error(gateway_turn(setup->gateway, now_usec, &next_usec));
		if (loop.error < 0)
			next_usec = now_usec + ERROR_PAUSE_USEC;
		fence_work(&fence_usec);
		if (gateway_has_left(setup->gateway))
			break;
		r = etcd_turn(setup->engine, &fd, 1, time_left(next_usec, work_beside(now_usec), fence_usec));
		tell_trouble(etcd_trouble(setup->engine));
		take_signals();
	}
	if (gateway_has_left(setup->gateway) || (!loop.stopping && loop.leaving))
		deadhand_end();
	if (!loop.stopping)
		gateway_note_remove(setup->scoreboard);
	fence_clear();
	return r;
}
