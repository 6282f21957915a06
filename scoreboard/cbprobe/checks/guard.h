/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * guard.h: a process that outlives cbprobe by a moment, to end the commands
 * which cbprobe has started and then, killed by whatever, could not end.
 */

#include <stddef.h>
#include <sys/types.h>

struct guard {
	pid_t pid; /* 0: none */
	int fd;    /* a pipe to it, close-on-exec; -1: none */
};

/* Starts the guard, for up to n commands at once. 0 or -errno; ended by guard_close() either way. */
int guard_open(struct guard *guard, size_t n);

/*
 * In the child, between fork(2) and execve(2), when it leads a process group:
 * puts that under guard. Async-signal-safe.
 */
void guard_enlist(const struct guard *guard);

/* The group was ended, and its leader is still to be waited for: until then nobody else can get its number. */
void guard_discharge(const struct guard *guard, pid_t group);

/* Ends the guard, which kills what was not discharged. */
void guard_close(struct guard *guard);
