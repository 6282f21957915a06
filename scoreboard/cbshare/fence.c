/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fence.c: a command for each silent gateway. It leads a session, which is killed as
 * a whole when the command has ended or took too long. What the command is told stands
 * in its environment; nothing is put into its text.
 */

#include "fence.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway.h"
#include "system/say.h"
#include "system/timespan.h"

struct run {
	char gateway[GATEWAY_NAME_MAX + 1]; /* empty: this place is free */
	pid_t pid;                          /* 0: none runs, the next begins at when_usec */
	uint64_t when_usec;                 /* CLOCK_MONOTONIC: when it begins, or must have ended */
};

static const char *command;
static struct run runs[GATEWAYS_MAX];

void fence_setup(const char *text)
{
	command = text;
}

/* In the child. */
static _Noreturn void execute(const char *gateway)
{
	sigset_t none;

	(void)setsid();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	if (setenv("COREBALANCE_GATEWAY", gateway, 1) == 0)
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static void begin(struct run *run)
{
	pid_t pid = fork();

	if (pid == 0)
		execute(run->gateway);
	if (pid < 0) {
		say(LOG_ERR, "gateway %s is not fenced: %s", run->gateway, strerror(errno));
		run->when_usec = now_monotonic() + FENCE_AGAIN_USEC;
		return;
	}
	say(LOG_NOTICE, "gateway %s: the fence's command begins", run->gateway);
	run->pid = pid;
	run->when_usec = now_monotonic() + FENCE_TIMEOUT_USEC;
}

static struct run *find(const char *gateway)
{
	for (size_t i = 0; i < GATEWAYS_MAX; i++)
		if (strcmp(runs[i].gateway, gateway) == 0)
			return &runs[i];
	return NULL;
}

void fence_begin(const char *gateway)
{
	struct run *run = find("");

	if (find(gateway) || !run)
		return;
	*run = (struct run){ .pid = 0 };
	(void)snprintf(run->gateway, sizeof(run->gateway), "%s", gateway);
	begin(run);
}

/* Kills a command and all that it started. No other group can have its number before the command is waited for. */
static void kill_run(const struct run *run)
{
	if (run->pid > 0)
		(void)kill(-run->pid, SIGKILL);
}

void fence_end(const char *gateway)
{
	struct run *run = find(gateway);

	if (!run)
		return;
	kill_run(run);
	*run = (struct run){ .pid = 0 };
}

/* Says how a command failed. */
static void tell_failure(const struct run *run, int status)
{
	if (WIFSIGNALED(status))
		say(LOG_ERR, "gateway %s is not fenced: the command was killed by signal %d", run->gateway, WTERMSIG(status));
	else
		say(LOG_ERR, "gateway %s is not fenced: the command's exit status is %d", run->gateway, WEXITSTATUS(status));
}

bool fence_ended(pid_t pid, const char **ret_gateway)
{
	static char fenced[GATEWAY_NAME_MAX + 1];
	struct run *run = NULL;
	int status;

	*ret_gateway = NULL;
	for (size_t i = 0; i < GATEWAYS_MAX; i++)
		if (runs[i].pid == pid)
			run = &runs[i];
	if (!run)
		return false;
	kill_run(run);
	if (waitpid(pid, &status, 0) != pid)
		status = SIGKILL;
	run->pid = 0;
	run->when_usec = now_monotonic() + FENCE_AGAIN_USEC;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		say(LOG_NOTICE, "gateway %s is fenced", run->gateway);
		(void)snprintf(fenced, sizeof(fenced), "%s", run->gateway);
		*ret_gateway = fenced;
		*run = (struct run){ .pid = 0 };
	} else {
		tell_failure(run, status);
	}
	return true;
}

void fence_work(uint64_t *ret_next)
{
	uint64_t now_usec = now_monotonic();

	*ret_next = UINT64_MAX;
	for (struct run *run = runs; run < runs + GATEWAYS_MAX; run++) {
		if (!*run->gateway)
			continue;
		if (run->when_usec <= now_usec && run->pid == 0) {
			begin(run);
		} else if (run->when_usec <= now_usec) {
			kill_run(run);
			run->when_usec = now_usec + FENCE_AGAIN_USEC;
		}
		if (run->when_usec < *ret_next)
			*ret_next = run->when_usec;
	}
}

void fence_clear(void)
{
	for (struct run *run = runs; run < runs + GATEWAYS_MAX; run++)
		kill_run(run);
}
