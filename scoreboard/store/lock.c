/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * lock.c: a mutex in a page beside the scoreboard, and a word in the scoreboard.
 *
 * The page (page.h) is mapped by every process and holds a mutex. Taking the mutex
 * costs no system call while it is free. A process that finds it taken sleeps in
 * the kernel. A process that takes it after its holder died is told so. But a file
 * beside another can be removed, replaced, cut short, written over, copied, or be
 * found under another name. Then two processes would have two mutexes for one
 * scoreboard.
 *
 * So the page alone decides nothing. The header of the scoreboard's own file has
 * one word (word.h): 0, or the process that is in the section. A process that has
 * the mutex writes itself into the word by one compare-and-swap. Only that makes
 * the process the holder. The word is part of the file that it protects: all
 * processes that have the file open agree on it, whatever page each of them has, or
 * none. Normally the word is 0 when a process has the mutex. If the word names
 * another process:
 *   - that process has died (the mutex or /proc says so): the word is taken
 *     over, and the caller is told;
 *   - that process lives: it came by another page. Then the word is polled.
 *
 * Nothing but speed depends on the page. Where a process has no page, the word
 * alone is the lock.
 *
 * The other way round, what happens to the scoreboard's file does not happen to
 * the page: while the word cannot be read, or was written over, the mutex
 * keeps all processes apart.
 *
 * A second word in the header says until when the lock was last held for long.
 * While a process is held up within its section, those that wait for the lock are
 * not idle of their own will: what they are late with does not count (farm/reap.c).
 */

#include "lock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "page.h"
#include "system/fault.h"
#include "system/holder.h"
#include "system/sigtstp.h"
#include "system/timespan.h"
#include "wait.h"
#include "word.h"

#define POLL_NSEC 200000L      /* how often the word is looked at while it names another process */

struct lock {
	struct page page;
	struct word word;
	bool is_torn;              /* the header was not there when the lock was taken */
	bool is_heir;              /* the process that had the lock before died with it */
	uint64_t taken_usec;       /* when it was taken: now_coarse() */
};

/* Waits for the mutex, and takes it. As page_try(), or -EINTR. */
static int wait_for_mutex(struct lock *lock)
{
	const struct timespec slice = { .tv_nsec = WAIT_SLICE_USEC * 1000L };
	struct wait wait = wait_begin();

	for (;;) {
		struct holder holder;
		int r = page_wait(&lock->page, &slice) ?: page_try(&lock->page, true);

		if (r != -EBUSY)
			return r;
		r = wait_look(&wait, &lock->word, true);
		if (r < 0)
			return r;
		/* The mutex is held for so long, and no process is in the section. */
		if (wait_is_long(&wait) && !word_owner(&lock->word, &holder)) {
			page_abandon(&lock->page);
			return -ENOTRECOVERABLE;
		}
	}
}

/* Takes the mutex of a good page, if there can be a good page. 0; 1: the mutex's holder died; -EINTR. */
static int take_mutex(struct lock *lock)
{
	for (unsigned i = 0; lock->page.memory; i++) {
		int r = page_try(&lock->page, false);

		if (r == -EBUSY)
			r = wait_for_mutex(lock);
		if (r != -ENOTRECOVERABLE)
			return r == -EOWNERDEAD ? 1 : r;
		if (i < PAGES_MAX)
			page_find(&lock->page);
	}
	return 0;
}

/* Writes this process into the word, and waits for that if need be. As word_take(), or -EINTR. */
static int take_word(struct lock *lock)
{
	const struct timespec pause = { .tv_nsec = POLL_NSEC };
	struct wait wait;
	int r = word_take(&lock->word);

	if (r != -EBUSY)
		return r;
	for (wait = wait_begin(); r == -EBUSY; r = wait_look(&wait, &lock->word, false) ?: word_take(&lock->word))
		(void)nanosleep(&pause, NULL);
	return r;
}

/* What lock_take() began ends. Returns whether a fault was seen meanwhile. */
static bool end(void)
{
	bool seen = fault_end();

	sigtstp_let_in();
	return seen;
}

int lock_take(struct lock *lock)
{
	int died, r;

	if (!sigtstp_hold_off())
		abort(); /* a section within a section: it would wait for itself */
	fault_begin();
	died = r = take_mutex(lock);
	if (r >= 0) {
		r = take_word(lock);
		if (r < 0)
			page_leave(&lock->page);
	}
	if (r < 0) {
		(void)end();
		return r;
	}
	/* The word was missing. What tdb reads may still be there, or another file may be in its place by now. */
	lock->is_torn = fault_clear();
	lock->is_heir = r | died;
	lock->taken_usec = now_coarse();
	return lock->is_heir;
}

bool lock_assure(struct lock *lock)
{
	return word_assure(&lock->word);
}

/* Notes in the file that the lock was held for long, if it was: by this process, or by a process that died. */
static void note_hold(struct lock *lock)
{
	uint64_t now_usec = now_coarse();

	if (lock->is_heir || now_usec - lock->taken_usec > LOCK_LONG_USEC)
		atomic_store(lock->word.until, now_usec);
}

uint64_t lock_held_until(const struct lock *lock)
{
	return atomic_load(lock->word.until);
}

void lock_begin(int fd)
{
	const uint64_t now_usec = now_coarse();

	/* Without it a granted slot may count as late too early. */
	(void)!pwrite(fd, &now_usec, sizeof(now_usec), WORD_UNTIL_AT);
}

bool lock_leave(struct lock *lock)
{
	note_hold(lock);
	word_leave(&lock->word);
	page_leave(&lock->page);
	return end() || lock->is_torn;
}

void lock_retire(struct lock *lock)
{
	word_retire(&lock->word);
}

struct page *lock_page(struct lock *lock)
{
	return &lock->page;
}

/* ---- opening ---- */

void lock_after_fork(struct lock *lock, const struct holder *self)
{
	word_after_fork(&lock->word, self);
	page_after_fork(&lock->page, self);
}

int lock_open(const struct folder *folder, int fd, struct lock **ret)
{
	struct lock *lock = calloc(1, sizeof(*lock));
	struct holder self;
	struct stat st;
	int r;

	if (!lock)
		return -ENOMEM;
	holder_self(&self);
	r = fstat(fd, &st) < 0 ? -errno : word_open(fd, &self, &lock->word) ?: page_open(folder, &st, &self, &lock->page);
	if (r < 0) {
		(void)lock_close(lock);
		return r;
	}
	page_find(&lock->page);
	*ret = lock;
	return 0;
}

struct lock *lock_close(struct lock *lock)
{
	if (!lock)
		return NULL;
	page_close(&lock->page);
	word_close(&lock->word);
	free(lock);
	return NULL;
}
