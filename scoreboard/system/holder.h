/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * holder.h: who is alive. A pid alone is reused; a pid, the time at which that
 * process started and the boot in which it did name one process for ever.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOLDER_NAME_MAX 15 /* as the kernel cuts it */

/* Stored in the scoreboard as it is. pid 0 is nobody. */
struct holder {
	uint32_t pid;
	uint32_t reserved;
	uint64_t start;      /* clock ticks after boot, field 22 of proc_pid_stat(5); 0: could not be read */
	uint8_t boot[16];    /* /proc/sys/kernel/random/boot_id */
};

/* Names the calling process. After fork(2) it must be asked for anew. */
void holder_self(struct holder *ret);

/* Names another process. Whether there is one of that pid that lives. */
bool holder_of(pid_t pid, struct holder *ret);

/*
 * Whether that process lives. A zombie does not: its descriptors are closed.
 * When in doubt (another user's process that /proc hides) it lives: a slot is
 * rather kept than given out twice.
 */
bool holder_alive(const struct holder *holder);

/* Whether that process was stopped by a signal. ret_name: what its program is called; empty if that cannot be read. */
bool holder_is_stopped(const struct holder *holder, char ret_name[static HOLDER_NAME_MAX + 1]);

/* Whether both name the same process. */
bool holder_equal(const struct holder *a, const struct holder *b);

/* A pidfd of that very process, close-on-exec, to be closed by the caller; -ESRCH if it has ended, or -errno. */
int holder_pidfd(const struct holder *holder);
