/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * guard.c: the guard lives as long as its pipe. Each command writes its process
 * group into the pipe when it begins, before it can start any process itself.
 * cbprobe writes the number again, negated, when the group has been killed. When no
 * process has the other end of the pipe any more, cbprobe has ended: the guard then
 * kills the groups that are left, and ends. PR_SET_PDEATHSIG alone, which exec.c
 * sets too, would leave the children of commands behind, and does not work for a
 * setuid command.
 *
 * The guard is forked once for each pass with such checks. It has no descriptor but
 * the pipe and no data but numbers, so it is of no use to a hostile command, and
 * costs little.
 */

#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The groups under guard, in no order. */
struct groups {
	pid_t *all;
	size_t n, room;
};

static void groups_remove(struct groups *groups, pid_t group)
{
	for (size_t i = 0; i < groups->n; i++) {
		if (groups->all[i] != group)
			continue;
		groups->all[i] = groups->all[--groups->n];
		return;
	}
}

static void groups_hear(struct groups *groups, pid_t word)
{
	if (word < 0)
		groups_remove(groups, -word);
	else if (word > 1 && groups->n < groups->room)
		groups->all[groups->n++] = word;
}

/* Ignores signals that end a process: a signal that ends cbprobe may go to all its processes, and the guard must
 * outlive cbprobe. */
static void ignore_ends(void)
{
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
}

/* Numbers are read whole: a pipe does not split a write this short. */
static _Noreturn void watch(int fd, struct groups *groups)
{
	pid_t word;
	ssize_t n;

	ignore_ends();
	while ((n = read(fd, &word, sizeof(word))) == (ssize_t)sizeof(word) || (n < 0 && errno == EINTR))
		if (n > 0)
			groups_hear(groups, word);
	for (size_t i = 0; i < groups->n; i++)
		(void)kill(-groups->all[i], SIGKILL);
	_exit(0);
}

/* In the new process: nothing is open but the pipe, which becomes descriptor 0. */
static _Noreturn void begin_watch(int fd, struct groups *groups)
{
	if (dup2(fd, STDIN_FILENO) < 0)
		_exit(1);
	(void)close_range(STDIN_FILENO + 1, UINT_MAX, 0);
	watch(STDIN_FILENO, groups);
}

/*
 * Waits until the guard has no copies of cbprobe's descriptors any more: a
 * descriptor that cbprobe closes before that would stay in epoll, with events of a
 * check that is over. ready is a pipe of which only the guard has the other end.
 */
static void await_guard(int ready)
{
	char byte;

	while (read(ready, &byte, 1) < 0 && errno == EINTR)
		;
}

int guard_open(struct guard *guard, size_t n)
{
	struct groups groups = { .all = calloc(n, sizeof(pid_t)), .room = n };
	int fds[2], ready[2], r = 0;

	*guard = (struct guard){ .fd = -1 };
	if (!groups.all)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = -errno;
		goto out;
	}
	guard->fd = fds[1];
	if (pipe2(ready, O_CLOEXEC) < 0) {
		r = -errno;
		goto out_pipe;
	}
	guard->pid = fork();
	if (guard->pid == 0)
		begin_watch(fds[0], &groups);
	if (guard->pid < 0) {
		r = -errno;
		guard->pid = 0;
	}
	(void)close(ready[1]);
	await_guard(ready[0]);
	(void)close(ready[0]);
out_pipe:
	(void)close(fds[0]);
out:
	free(groups.all);
	return r;
}

void guard_enlist(const struct guard *guard)
{
	pid_t group = getpid();

	(void)!write(guard->fd, &group, sizeof(group));
}

void guard_discharge(const struct guard *guard, pid_t group)
{
	pid_t word = -group;

	(void)!write(guard->fd, &word, sizeof(word));
}

void guard_close(struct guard *guard)
{
	if (guard->fd >= 0)
		(void)close(guard->fd);
	if (guard->pid > 0)
		while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
			;
	*guard = (struct guard){ .fd = -1 };
}
