/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * lock.h: one process at a time changes a scoreboard. The lock costs no system
 * call while no other process wants it. How it works, and why two processes
 * cannot hold it at once whatever happens to the files, is at the head of lock.c.
 *
 * tdb's own locks are not known here: store.c takes them as well where the
 * structure of the file changes.
 */

#include <stdbool.h>
#include <stdint.h>

struct folder;
struct holder;
struct lock;
struct page;

/* A lock that is held for longer was held for long; see lock_held_until(). */
#define LOCK_LONG_USEC 50000u

/*
 * The lock of the scoreboard that fd has open and folder names. The folder must
 * live as long as the lock, fd only for this call. The page of the mutex is
 * found, or made, beside the scoreboard; where that cannot be done the lock works
 * without, see lock.c. 0 and *ret, to be ended by lock_close(); or -errno.
 */
int lock_open(const struct folder *folder, int fd, struct lock **ret);

/* Frees the lock, which must not be held. Returns NULL. */
struct lock *lock_close(struct lock *lock);

/* A process made by fork(2) calls this before it takes a lock that its parent opened. self names the process. */
void lock_after_fork(struct lock *lock, const struct holder *self);

/*
 * Takes the lock, and waits for it if need be. Not recursive. From here to
 * lock_leave() faults are caught (system/fault.h). 0; 1: the lock is taken, and
 * the process that had it before died within its section; -ESTALE: not taken,
 * another file is the scoreboard now; -EINTR: not taken, the wait was ended, see
 * wait_call().
 */
int lock_take(struct lock *lock);

/* Whether the lock is still held, see word_assure(). */
bool lock_assure(struct lock *lock);

/* Gives the lock up. Returns whether a fault was seen meanwhile (system/fault.h): then nothing that was read or written
 * counts, and the file must be opened anew. */
bool lock_leave(struct lock *lock);

/*
 * Until when the lock was last held for longer than LOCK_LONG_USEC, or by a process
 * that died with it: CLOCK_MONOTONIC; 0: not known. Meanwhile no other process could do
 * anything with the scoreboard, such as to take a slot that it was granted. The
 * lock must be held.
 */
uint64_t lock_held_until(const struct lock *lock);

/* Says in the header of a file that is about to become the scoreboard that no process could have its lock until now. */
void lock_begin(int fd);

/* Says, with the lock held, that another file is the scoreboard from now on. After lock_leave() no process can take the
 * lock of this file any more, whatever name or page the process has it by. */
void lock_retire(struct lock *lock);

/* The page beside the scoreboard; it stays the lock's. */
struct page *lock_page(struct lock *lock);
