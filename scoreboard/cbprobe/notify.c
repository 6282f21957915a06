/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * notify.c: a queue of notices, and a few commands that run.
 *
 * Notices of different nodes may overtake each other. Notices of the same node
 * never do: the next command for a node begins after the previous has ended. So a
 * slow command holds up its own node only, until all places are taken.
 *
 * The shell runs the command, as in crontab(5), but nothing is ever put into the
 * command's text: all information is in the environment, where a node's own words
 * stay words. The command leads a process group. The group is killed as a whole
 * when the command takes too long, and also when the command itself has ended:
 * nothing is left behind. (No other group can get the number before the command
 * has been waited for.) Only a command that does not even die is left: nothing waits
 * for it for more than a moment.
 */

#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "quit.h"
#include "null.h"
#include "system/say.h"
#include "system/timespan.h"

#define RUNS_MAX 8u                           /* commands at the same time */
#define TIMEOUT_USEC (30 * USEC_PER_SEC)      /* of each */
#define GRACE_USEC (USEC_PER_SEC / 2)         /* from SIGKILL to giving up */
#define LINE_MAX_ 100000u                     /* notices that may wait */

enum { VARIABLE_NODE, VARIABLE_STATE, VARIABLE_OLD, VARIABLE_REASON, VARIABLE_DETAIL, VARIABLE_SINCE, VARIABLES_ };

static const char *const variable_names[VARIABLES_] = {
	[VARIABLE_NODE] = "COREBALANCE_NODE=", [VARIABLE_STATE] = "COREBALANCE_STATE=",
	[VARIABLE_OLD] = "COREBALANCE_OLD=", [VARIABLE_REASON] = "COREBALANCE_REASON=",
	[VARIABLE_DETAIL] = "COREBALANCE_DETAIL=", [VARIABLE_SINCE] = "COREBALANCE_SINCE=",
};

struct notice {
	struct notice *next;
	char *variables[VARIABLES_];
};

struct run {
	struct beside beside;                 /* of pidfd */
	struct notice *notice;                /* NULL: this place is free */
	volatile pid_t pid;                   /* 0: none */
	int pidfd;
	const char *why;                      /* it was killed; NULL: it was not */
	uint64_t deadline_usec;               /* of the command, or of its death; CLOCK_MONOTONIC */
};

static const char *command;
static struct notice *first, **end_of_line = &first;
static size_t waiting;
static bool overflown;                        /* notices were dropped, and a message said so */
static struct run runs[RUNS_MAX];
static int timer_fd = -1;

extern char **environ;

static struct notice *notice_free(struct notice *notice)
{
	for (int i = 0; i < VARIABLES_; i++)
		free(notice->variables[i]);
	free(notice);
	return NULL;
}

static const char *notice_node(const struct notice *notice)
{
	return notice->variables[VARIABLE_NODE] + strlen(variable_names[VARIABLE_NODE]);
}

static struct notice *notice_new(const char *const values[VARIABLES_])
{
	struct notice *notice = calloc(1, sizeof(*notice));

	for (int i = 0; notice && i < VARIABLES_; i++)
		if (asprintf(&notice->variables[i], "%s%s", variable_names[i], values[i]) < 0) {
			notice->variables[i] = NULL;
			return notice_free(notice);
		}
	return notice;
}

static bool is_running(const char *node)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (runs[i].notice && strcmp(notice_node(runs[i].notice), node) == 0)
			return true;
	return false;
}

static bool any_running(void)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (runs[i].notice)
			return true;
	return false;
}

/* Takes the first notice of a node without a running command out of the queue; NULL if there is none. */
static struct notice *take(void)
{
	for (struct notice **p = &first; *p; p = &(*p)->next) {
		struct notice *notice = *p;

		if (is_running(notice_node(notice)))
			continue;
		*p = notice->next;
		if (!*p)
			end_of_line = p;
		waiting--;
		return notice;
	}
	return NULL;
}

/* This process's environment, with the notice's variables in place of any of the same names. NULL: no memory. The array
 * is the caller's, its texts are not. */
static char **make_environment(const struct notice *notice)
{
	size_t n = 0, kept = 0;
	char **made;

	while (environ[n])
		n++;
	made = reallocarray(NULL, n + VARIABLES_ + 1, sizeof(char *));
	if (!made)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		bool ours = false;

		for (int v = 0; v < VARIABLES_; v++)
			ours |= strncmp(environ[i], variable_names[v], strlen(variable_names[v])) == 0;
		if (!ours)
			made[kept++] = environ[i];
	}
	for (int v = 0; v < VARIABLES_; v++)
		made[kept++] = notice->variables[v];
	made[kept] = NULL;
	return made;
}

/* Runs the command. Its pid, or -errno. */
static int spawn(const struct notice *notice)
{
	char shell[] = "sh", option[] = "-c";
	char *text = strdup(command), *argv[] = { shell, option, text, NULL };
	char **environment = make_environment(notice);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	pid_t pid;
	int r = ENOMEM;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawn_file_actions_init(&actions);
	if (text && environment)
		r = posix_spawn_file_actions_adddup2(&actions, null_fd(), STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (r == 0) /* libcurl has descriptors without close-on-exec */
		r = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (r == 0)
		r = posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	free(environment);
	free(text);
	return r == 0 ? pid : -r;
}

/* Sets the timer to the deadline of the run that began first. */
static void set_timer(void)
{
	struct itimerspec when = { 0 };
	uint64_t first_usec = UINT64_MAX;

	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (runs[i].notice && runs[i].deadline_usec < first_usec)
			first_usec = runs[i].deadline_usec;
	if (first_usec != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(first_usec / USEC_PER_SEC);
		when.it_value.tv_nsec = (long)(first_usec % USEC_PER_SEC * 1000) + 1;
	}
	(void)timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Makes the place of a run free. */
static void run_forget(struct run *run)
{
	run->pid = 0;
	if (run->pidfd >= 0) {
		beside_unwatch(run->pidfd);
		(void)close(run->pidfd);
	}
	run->notice = notice_free(run->notice);
}

static bool has_ended(const struct run *run)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == run->pid;
}

/* The command of a run has ended: kills what is left of its process group, and says how the command ended, if not well. */
static void run_end(struct run *run)
{
	const char *node = notice_node(run->notice);
	pid_t pid = run->pid;
	int status = 0;

	(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (run->why)
		say(LOG_WARNING, "--notify for %s: %s", node, run->why);
	else if (WIFSIGNALED(status))
		say(LOG_WARNING, "--notify for %s: killed by signal %d", node, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		say(LOG_WARNING, "--notify for %s: exit status %d", node, WEXITSTATUS(status));
	run_forget(run);
}

/* Kills the command of a run; why must stay. The end of the run comes with that of the command, or with its deadline. */
static void run_kill(struct run *run, const char *why)
{
	(void)kill(-run->pid, SIGKILL);
	run->why = why;
	run->deadline_usec = now_monotonic() + GRACE_USEC;
}

/* The deadline of a run is over. */
static void run_expire(struct run *run)
{
	if (has_ended(run)) {
		run_end(run);
	} else if (!run->why) {
		run_kill(run, "killed, as it took longer than 30s");
	} else {
		/* It hangs in the kernel, perhaps on a file server. It stays a child of cbprobe until cbprobe ends. */
		say(LOG_WARNING, "--notify for %s: cannot be killed, process %d is left", notice_node(run->notice), (int)run->pid);
		run_forget(run);
	}
}

static void begin_runs(void);

static void run_ready(struct beside *beside)
{
	struct run *run = (struct run *)(void *)beside; /* its first member */

	/* The event may be of the run that had this place before, which the timer ended a moment ago. */
	if (!run->notice || !has_ended(run))
		return;
	run_end(run);
	begin_runs();
}

/* Begins the command of a notice in a free place. */
static void run_begin(struct run *run, struct notice *notice)
{
	int r, pid = spawn(notice);

	if (pid < 0) {
		say(LOG_WARNING, "--notify for %s: %s", notice_node(notice), strerror(-pid));
		(void)notice_free(notice);
		return;
	}
	run->notice = notice;
	run->beside.ready = run_ready;
	run->deadline_usec = now_monotonic() + TIMEOUT_USEC;
	run->why = NULL;
	run->pid = pid;
	run->pidfd = (int)syscall(SYS_pidfd_open, pid, 0u); /* close-on-exec by itself */
	r = run->pidfd < 0 ? -errno : beside_watch(run->pidfd, &run->beside);
	if (r < 0)
		run_kill(run, strerrordesc_np(-r));
}

static void begin_runs(void)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		while (!runs[i].notice) {
			struct notice *notice = take();

			if (!notice)
				goto out;
			run_begin(&runs[i], notice);
		}
out:
	set_timer();
}

static void timer_ready(struct beside *beside)
{
	uint64_t now_usec = now_monotonic(), times;

	(void)beside;
	(void)!read(timer_fd, &times, sizeof(times));
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (runs[i].notice && runs[i].deadline_usec <= now_usec)
			run_expire(&runs[i]);
	begin_runs();
}

int notify_setup(const char *text)
{
	static struct beside timer = { timer_ready };
	int r;

	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer_fd < 0)
		return -errno;
	r = beside_watch(timer_fd, &timer);
	if (r == 0)
		command = text;
	return r;
}

void notify_node_state(const char *node, const struct score_edge *edge, const char *detail)
{
	char since[24];
	const char *const values[VARIABLES_] = {
		[VARIABLE_NODE] = node, [VARIABLE_STATE] = node_state_to_string(edge->after),
		[VARIABLE_OLD] = node_state_to_string(edge->before), [VARIABLE_REASON] = reason_to_string(edge->reason),
		[VARIABLE_DETAIL] = detail ? detail : "", [VARIABLE_SINCE] = since,
	};
	struct notice *notice;

	if (!command)
		return;
	(void)snprintf(since, sizeof(since), "%" PRIu64, now_realtime());
	notice = waiting < LINE_MAX_ ? notice_new(values) : NULL;
	if (!notice) {
		if (!overflown)
			say(LOG_WARNING, "--notify for %s and maybe others: left out, as too many wait", node);
		overflown = true;
		return;
	}
	*end_of_line = notice;
	end_of_line = &notice->next;
	waiting++;
	begin_runs();
}

/* Works until no command runs, or that time is over. */
static void work_until(uint64_t until_usec)
{
	for (uint64_t now_usec; any_running() && (now_usec = now_monotonic()) < until_usec;) {
		struct pollfd fd = { .fd = beside_fd(), .events = POLLIN };

		quit_allow();
		(void)poll(&fd, 1, (int)((until_usec - now_usec) / USEC_PER_MSEC) + 1);
		quit_deny();
		beside_work();
	}
}

/* No command begins any more. */
static void drop_notices(void)
{
	if (first)
		say(LOG_WARNING, "--notify: %zu changes not told, as the command took too long", waiting);
	while (first) {
		struct notice *notice = first;

		first = notice->next;
		(void)notice_free(notice);
	}
	end_of_line = &first;
	waiting = 0;
}

void notify_finish(void)
{
	quit_deny();
	work_until(now_monotonic() + TIMEOUT_USEC);
	drop_notices();
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (runs[i].notice && !runs[i].why)
			run_kill(&runs[i], "killed, as cbprobe ends");
	set_timer();
	while (any_running()) /* each run ends, or is left, when its deadline is over */
		work_until(now_monotonic() + GRACE_USEC);
	quit_allow();
}

void notify_abandon(void)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (runs[i].pid > 0)
			(void)kill(-runs[i].pid, SIGKILL);
}
