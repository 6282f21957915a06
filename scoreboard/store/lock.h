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
#include <sys/types.h>

#include "system/folder.h"
#include "system/holder.h"

struct lock;

/* What a process that waits for the lock says once, after LOCK_TELL_USEC. */
struct lock_wait {
	pid_t pid;             /* of the process that has the lock; 0: it could not be found out */
	char name[HOLDER_NAME_MAX + 1]; /* its program's, may be empty */
	bool stopped;          /* the process was stopped by a signal, as by Ctrl-Z */
	int woken;             /* if so: 0: the process was told to go on (SIGCONT); or -errno why that failed */
	uint64_t waited_usec;
};

#define LOCK_TELL_USEC 2000000u

/* Where the scoreboard's file names the process that is in a section; see lock.c. */
#define LOCK_WORD_AT 160u
#define LOCK_WORD_SIZE 8u

/* Where that file says until when its lock was last held for long; see lock_held_until(). */
#define LOCK_UNTIL_AT 152u
#define LOCK_LONG_USEC 50000u

/*
 * The lock of the scoreboard that fd has open and folder names. The folder must
 * live as long as the lock, fd only for this call. The page of the mutex is
 * found, or made, beside the scoreboard; where that cannot be done the lock works
 * without, see lock.c. 0 and *ret, to be ended by lock_close(); or -errno.
 */
int lock_open(const struct folder *folder, int fd, struct lock **ret);

/* Whether there is a page beside the scoreboard that folder names: a scoreboard of that name was in use. */
bool lock_has_page(const struct folder *folder);

/* Frees the lock, which must not be held. Returns NULL. */
struct lock *lock_close(struct lock *lock);

/* A process made by fork(2) calls this before it takes a lock that its parent opened. self names the process. */
void lock_after_fork(struct lock *lock, const struct holder *self);

/*
 * Takes the lock, and waits for it if need be. Not recursive. From here to
 * lock_leave() faults are caught (system/fault.h). 0; 1: the lock is taken, and
 * the process that had it before died within its section; -ESTALE: not taken,
 * another file is the scoreboard now; -EINTR: not taken, lock_on_wait()'s
 * is_ended said so.
 */
int lock_take(struct lock *lock);

/* Whether the lock is still held. A transaction that tdb undoes, because a process died in it, writes over the word
 * in the file's header. */
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

/*
 * Which scoreboard the page was last used for: what lock_set_life() said. 0: not
 * said yet, or there is no page. The page outlives the scoreboard's file: so it
 * shows when a stranger has put another file into that file's place.
 */
uint16_t lock_life(const struct lock *lock);
void lock_set_life(struct lock *lock, uint16_t life);

/*
 * The number of the last change that was made to the scoreboard, or of one before it:
 * what lock_set_applied() said. 0: not known. It shows when a stranger has put an
 * earlier copy of the scoreboard into its place.
 */
uint64_t lock_applied(const struct lock *lock);
void lock_set_applied(struct lock *lock, uint64_t applied);

/*
 * Looks whether the page that this process uses still has the page's name. If
 * not, takes the page that has the name, or makes a new page. Costs some system
 * calls; the lock must not be held. Only the speed of waiting depends on it.
 */
void lock_look(struct lock *lock);

/* tell (may be NULL) is called once for each wait that takes LOCK_TELL_USEC; is_ended (may be NULL) about every 0.1 s
 * of every wait: when it says true the wait ends with -EINTR. For the whole process. */
void lock_on_wait(void (*tell)(const struct lock_wait *wait), bool (*is_ended)(void));

/* From now on SIGTSTP stops this process only when it does not hold a lock: no other process waits for a stopped one.
 * Nothing happens if that signal is ignored or handled otherwise. */
void lock_defer_stop(void);
