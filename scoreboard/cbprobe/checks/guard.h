/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * guard.h: a process that outlives cbprobe by a moment, to end the commands that
 * cbprobe started and could not end because it was killed.
 */

#include <stddef.h>
#include <sys/types.h>

struct guard {
	pid_t pid; /* 0: none */
	int fd;    /* a pipe to it, close-on-exec; -1: none */
};

/* Starts the guard, for up to n commands at the same time. 0 or -errno; ended by guard_close() either way. */
int guard_open(struct guard *guard, size_t n);

/*
 * In the child, between fork(2) and execve(2), when the child leads a process group:
 * puts the group under guard. Async-signal-safe.
 */
void guard_enlist(const struct guard *guard);

/* Takes a group from under guard. The group was killed, and its leader is still to be waited for: until then no other
 * group can get the number. */
void guard_discharge(const struct guard *guard, pid_t group);

/* Ends the guard, which kills the groups that were not discharged. */
void guard_close(struct guard *guard);
