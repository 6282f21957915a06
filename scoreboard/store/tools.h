/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * tools.h: tdb's own locks, fcntl(2), by which stock tools keep others out of the
 * file. A tool may have one for as long as its user likes: tdbtool(8) at its
 * prompt, or behind a pager. So a process that has the scoreboard's lock takes
 * tdb's locks at once or not at all. In the second case it gives the scoreboard's
 * lock up, and tries again a little later.
 */

#include <stdbool.h>
#include <stdint.h>

#include "wait.h"

/* Takes the locks of a transaction of the file that fd has open: what tdb takes for it later it gets without waiting. tdb
 * gives them up with the transaction. 0; -EBUSY: another process has one of them, and this process has none; or -errno. */
int tools_keep_out(int fd);

/* Takes all locks. They are given up when the process closes any descriptor of the file. As tools_keep_out(). */
int tools_keep_out_of_all(int fd);

/* Gives the locks of tools_keep_out() up. */
void tools_let_in(int fd);

/* Whether a process was killed while it made a transaction real, so that whoever takes tdb's locks next must undo it. */
bool tools_must_recover(int fd);

/* A wait for another process to give its locks up. */
struct tools_wait {
	struct wait wait;
	uint64_t most_usec;        /* then the wait is given up */
};

struct tools_wait tools_wait_begin(uint64_t most_usec);

/* After -EBUSY, and without the scoreboard's lock: pauses. 0: try again; -ENOLCK: the wait has lasted long enough, and that
 * was told (wait.h), unless *told: this sets it; -EINTR: the wait is to end. */
int tools_wait(struct tools_wait *wait, int fd, bool *told);
