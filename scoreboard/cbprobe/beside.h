/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * beside.h: what goes on beside a pass, and must not wait for its end: the
 * commands of --notify, the watchdog's beat. All of it is behind a single
 * descriptor, which every function that waits for something else watches too.
 */

/* A descriptor's watch; part of a larger structure. */
struct beside {
	void (*ready)(struct beside *beside);
};

/* Makes the descriptor. 0 or -errno. */
int beside_setup(void);

/* Readable when there is something to do; -1 if beside_setup() was never called. */
int beside_fd(void);

/* Calls beside->ready whenever fd is readable. 0 or -errno. */
int beside_watch(int fd, struct beside *beside);

/* Ends the watch, before fd is closed: close(2) alone does not, while a command that is being started has a copy. */
void beside_unwatch(int fd);

/* Does what there is to do; never waits. */
void beside_work(void);
