/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * mutex.c: a robust futex that is not in a list.
 *
 * The C library has robust mutexes. It links those that a thread holds into a
 * list, whose links lie in the mutexes themselves: in the shared memory. To unlock
 * a mutex is to write through two pointers that any process with that memory could
 * have chosen. So these mutexes are not the C library's.
 *
 * When a thread ends, the kernel goes through that list, which begins in the
 * thread's own memory. The head of the list also has room for one futex that is in
 * no list: the futex that the thread is about to take or to give up
 * (list_op_pending). The kernel treats it like the others: if its word has the
 * thread's id, the kernel writes FUTEX_OWNER_DIED there and wakes a thread that
 * sleeps. If the word is 0, the thread died between writing 0 and waking another:
 * the kernel wakes one. So a mutex is named there for all the time that it is held.
 * The head is the C library's, one for each thread. The C library uses that place
 * within its own calls for robust mutexes only, and no code calls them.
 *
 * The kernel finds the word at a fixed distance from the address in the list. The
 * distance is the C library's, too. The address is only a number here.
 */

#include "mutex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local struct robust_list_head *head;

bool mutex_ready(void)
{
	struct robust_list_head *found;
	size_t size;

	if (!head && syscall(SYS_get_robust_list, 0, &found, &size) == 0 && found && size == sizeof(*found))
		head = found;
	return head != NULL;
}

/* Names the futex that the kernel looks at when this thread ends. The compiler keeps this before or behind what is done to
 * the futex: the kernel looks at a thread that does nothing any more. */
static void name_futex(const struct mutex *mutex)
{
	uintptr_t entry = mutex ? (uintptr_t)mutex - (uintptr_t)head->futex_offset : 0;

	atomic_signal_fence(memory_order_seq_cst);
	head->list_op_pending = (struct robust_list *)entry;
	atomic_signal_fence(memory_order_seq_cst);
}

void mutex_forget(void)
{
	name_futex(NULL);
}

int mutex_try(struct mutex *mutex, uint32_t tid, bool waited)
{
	uint32_t is = atomic_load(&mutex->word), mark = waited ? FUTEX_WAITERS : 0;

	name_futex(mutex);
	if (!(is & FUTEX_TID_MASK) && atomic_compare_exchange_strong(&mutex->word, &is, tid | (is & FUTEX_WAITERS) | mark))
		return is & FUTEX_OWNER_DIED ? -EOWNERDEAD : 0;
	name_futex(NULL);
	return -EBUSY;
}

int mutex_wait(struct mutex *mutex, const struct timespec *most)
{
	uint32_t is = atomic_load(&mutex->word);

	if (!(is & FUTEX_TID_MASK))
		return 0;
	if (!(is & FUTEX_WAITERS) && !atomic_compare_exchange_strong(&mutex->word, &is, is | FUTEX_WAITERS))
		return 0;
	if (syscall(SYS_futex, &mutex->word, FUTEX_WAIT, is | FUTEX_WAITERS, most, NULL, 0) < 0 && errno == EFAULT)
		return -EFAULT;
	return 0;
}

int mutex_leave(struct mutex *mutex, uint32_t tid)
{
	uint32_t is = tid;

	/* It fails once if a thread has come to wait. If it fails twice, the word was written over. */
	if (!atomic_compare_exchange_strong(&mutex->word, &is, 0) &&
	    ((is & FUTEX_TID_MASK) != tid || !atomic_compare_exchange_strong(&mutex->word, &is, 0)))
		return -EPERM;
	if (is & FUTEX_WAITERS)
		(void)syscall(SYS_futex, &mutex->word, FUTEX_WAKE, 1, NULL, NULL, 0);
	name_futex(NULL);
	return 0;
}
