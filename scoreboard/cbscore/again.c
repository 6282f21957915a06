/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "again.h"
#include "system/printable.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void run(const struct context *context, char *const words[])
{
	const char *const own[] = { command.name, "-s", context->farm.scoreboard, "-c", context->farm.nodes };
	/* A list that the caller has not named is not compared with the farm's: so neither in the other process. */
	const size_t n_own = context->farm.nodes_given ? 5 : 3;
	size_t n = 0;
	char **all;

	while (words[n])
		n++;
	all = calloc(n_own + n + 1, sizeof(*all));
	if (all) {
		(void)memcpy(all, own, n_own * sizeof(*own));
		(void)memcpy(all + n_own, words, n * sizeof(*all));
		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGQUIT, SIG_DFL);
		(void)execv("/proc/self/exe", all);
	}
	print(stderr, "cbscore: /proc/self/exe: %m\n");
	_exit(STATUS_FAILED);
}

int again_run(const struct context *context, char *const words[])
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(context, words);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
}
