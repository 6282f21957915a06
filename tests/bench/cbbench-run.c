/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cbbench-run: the time and memory of one process, from its start to its end.
 *
 *     cbbench-run FILE COMMAND [ARGUMENT...]
 *
 * runs the command and then writes "wall=SECONDS cpu=SECONDS rss=KB anon=KB
 * status=N" to FILE; rss is the process's highest. anon is the highest of what is in
 * no file, and so shared with no other program, of looks a millisecond apart. At SIGTERM it kills the command by SIGKILL:
 * otherwise a daemon would tidy up, and that would be counted, too.
 */
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* The memory of a process that is in no file now, in kB; 0 if it has ended. */
static long anonymous(pid_t pid)
{
	char path[64], line[256];
	long value = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "RssAnon:", 8) == 0)
			value = strtol(line + 8, NULL, 10);
	(void)fclose(file);
	return value;
}

/* Waits for the child's end. Returns its wait status. */
static int child_end(pid_t child, const sigset_t *set, struct rusage *ret_usage, long *ret_anon)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int status;

	*ret_anon = 0;
	while (wait4(child, &status, WNOHANG, ret_usage) != child) {
		long now = anonymous(child);

		*ret_anon = now > *ret_anon ? now : *ret_anon;
		if (sigtimedwait(set, NULL, &pause) == SIGTERM)
			(void)kill(child, SIGKILL);
	}
	return status;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	uint64_t start, end;
	sigset_t set;
	pid_t child;
	FILE *file;
	int status;
	long anon;

	if (argc < 3) {
		(void)fprintf(stderr, "usage: cbbench-run FILE COMMAND [ARGUMENT...]\n");
		return 64;
	}
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	start = now_nsec();
	child = fork();
	if (child < 0) {
		perror("cbbench-run: fork");
		return 71;
	}
	if (!child) {
		(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
		(void)execvp(argv[2], argv + 2);
		(void)fprintf(stderr, "cbbench-run: %s: %s\n", argv[2], strerror(errno));
		_exit(71);
	}
	status = child_end(child, &set, &usage, &anon);
	end = now_nsec();
	file = fopen(argv[1], "we");
	if (!file || fprintf(file, "wall=%.6f cpu=%.6f rss=%ld anon=%ld status=%d\n", (double)(end - start) / 1e9,
			     seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss, anon,
			     WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)) < 0 ||
	    fclose(file) != 0) {
		(void)fprintf(stderr, "cbbench-run: %s: %s\n", argv[1], strerror(errno));
		return 71;
	}
	return 0;
}
