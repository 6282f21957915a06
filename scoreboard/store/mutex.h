/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * mutex.h: a mutex in memory that processes share which do not trust each other.
 * If its owner dies, the kernel says so to the next process that takes it.
 *
 * Any process that maps the memory can write anything there at any moment. Then
 * the mutex is held by no process or by two. But the memory is never used as
 * a pointer: nothing that is written there makes another process read or write
 * elsewhere, or go round for ever.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* All zeros is a mutex that is free. */
struct mutex {
	_Atomic uint32_t word; /* as robust futexes have it: the thread id of the owner, FUTEX_WAITERS, FUTEX_OWNER_DIED */
};

/*
 * Readies the calling thread, and after fork(2) the same thread of the child. It
 * comes before all other functions here. Returns whether the thread can use mutexes:
 * not if the kernel, or the C library, keeps no list of what it holds. One system
 * call, once for each thread.
 */
bool mutex_ready(void);

/*
 * Takes the mutex for the calling thread, whose id is tid, if the mutex is free.
 * Makes no system call. A thread holds one such mutex at a time. waited: other
 * threads may sleep in mutex_wait(); a thread that has slept says so. 0; -EOWNERDEAD: it
 * is taken, and its owner died with it; -EBUSY: it is not taken.
 */
int mutex_try(struct mutex *mutex, uint32_t tid, bool waited);

/* Sleeps while the mutex is held, at most for the given time; may return early. 0, or -EFAULT: there is no such memory. */
int mutex_wait(struct mutex *mutex, const struct timespec *most);

/*
 * Gives the mutex up, and wakes a thread that sleeps. A system call only in that
 * case. 0, or -EPERM: the mutex is not this thread's any more, as another process
 * has written over it; nothing was written.
 */
int mutex_leave(struct mutex *mutex, uint32_t tid);

/* Forgets a mutex that this thread holds: the memory is written over, or about to go. */
void mutex_forget(void);
