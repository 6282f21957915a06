/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * holder.h: which process is alive. A pid alone is reused. A pid, the start time
 * of the process and the boot together name one process for ever.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOLDER_NAME_MAX 15 /* as the kernel cuts it */
#define BOOT_SIZE 16u      /* of a boot's id; all zeros: not known */

/* Stored in the scoreboard as it is. pid 0: no process. */
struct holder {
	uint32_t pid;
	uint32_t reserved;
	uint64_t start;      /* clock ticks after boot, field 22 of proc_pid_stat(5); 0: could not be read */
	uint8_t boot[BOOT_SIZE]; /* /proc/sys/kernel/random/boot_id */
};

/* Whether these are two boots for sure: then no process of the older boot runs. An id that is not known (/proc may hide it)
 * differs from none. */
bool boots_differ(const uint8_t a[static BOOT_SIZE], const uint8_t b[static BOOT_SIZE]);

/* Names the calling process. A child of fork(2) must call it anew. */
void holder_self(struct holder *ret);

/* The calling process is about to fork. So the child knows its own start by the clock, mostly, and need not read it. */
void holder_fork_begins(void);

/* Names another process. Returns whether a process of that pid lives. */
bool holder_of(pid_t pid, struct holder *ret);

/*
 * Whether that process lives. A zombie does not: its descriptors are closed. In
 * doubt (/proc hides another user's process) it counts as alive: it is better to
 * keep a slot than to give it out twice.
 */
bool holder_alive(const struct holder *holder);

/* Whether that process was stopped by a signal. ret_name: the name of its program; empty if that cannot be read. */
bool holder_is_stopped(const struct holder *holder, char ret_name[static HOLDER_NAME_MAX + 1]);

/* Whether both name the same process. */
bool holder_equal(const struct holder *a, const struct holder *b);

/* A pidfd of exactly that process, close-on-exec, to be closed by the caller; -ESRCH if it has ended; or -errno. */
int holder_pidfd(const struct holder *holder);

/* A process that is asked for again and again. Begins as holder_unwatched(). */
struct holder_watch {
	struct holder holder;
	int fd;              /* its pidfd, close-on-exec; -1: none yet */
};

/* The watch of no process. A child of fork(2), which may have closed the descriptor, begins anew by it, too. */
struct holder_watch holder_unwatched(void);

/* As holder_alive(). A process that is asked for a second time in a row is watched from then on: each further question is
 * one system call, and reads no file of /proc. */
bool holder_alive_still(struct holder_watch *watch, const struct holder *holder);

/* Ends a watch. */
void holder_watch_clear(struct holder_watch *watch);
