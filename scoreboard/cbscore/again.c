/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "again.h"
#include "system/printable.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 256
#define OWN_WORDS 5      /* the program, and which farm */

static _Noreturn void run(const struct context *context, char *const words[])
{
	char *all[WORDS_MAX + OWN_WORDS + 1] = {
		(char *)(uintptr_t)command.name, (char *)(uintptr_t)"-c", (char *)(uintptr_t)context->farm.nodes,
		(char *)(uintptr_t)"-s", (char *)(uintptr_t)context->farm.scoreboard,
	};
	size_t n = 0;

	for (; n < WORDS_MAX && words[n]; n++)
		all[OWN_WORDS + n] = words[n];
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGQUIT, SIG_DFL);
	(void)execv("/proc/self/exe", all);
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
