/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * store.h: records that change together or not at all.
 *
 * A critical section is store_lock(), any number of store_get() and
 * store_touch(), store_commit(), store_unlock(). Records are worked on in
 * copies; a commit makes all touched bytes real at once. If a process is killed
 * in the middle of a commit, the commit is either undone, or finished by the
 * next process that takes the lock. On this path only records that exist are
 * overwritten, at their size.
 *
 * Whatever makes, grows or deletes records is a transaction instead:
 * store_begin(), the same calls and store_put() and store_delete(),
 * store_end().
 *
 * Only store.c and file.c know that this is tdb.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "key.h"
#include "system/holder.h"

struct file;
struct folder;
struct store;

/*
 * Which scoreboard a file is, 1 to 65535: the upper 16 bits of its sequence
 * number. It is picked at random, and a rebuild keeps it. So a file that a
 * stranger has put into the place of the scoreboard, or copied over it, shows.
 */
#define STORE_LIFE_SHIFT 48u

/* Opens an existing file. 0 and *ret, to be ended by store_close(); -ENOMEM; or as file_open(). */
int store_open(const char *path, struct store **ret);

/* Makes a store without records in a new file, as file_create() makes it. Its changes are numbered behind after, in the
 * same life; 0: a life is picked. 0 and *ret, to be ended by store_close(); or -errno. */
int store_create(const struct folder *folder, uint64_t after, struct store **ret);

/*
 * Copies the store as it is between two sections. No other process can reach the
 * copy, so work on it holds up no process: a section lasts only as long as
 * the bytes are copied. 0 and *ret, to be ended by store_close(); what store_lock()
 * returns; -EBADMSG: the file is damaged; or -errno.
 */
int store_copy(struct store *s, struct store **ret);

/*
 * Makes an empty store in memory, for records that were salvaged: there are no
 * sections and no transactions, and records are read and put at once.
 * store_add() adds a record by its name, unless there is a record of that name.
 * store_finish() finishes the change that a process was making, as far as the
 * records are there. 0 or -errno.
 */
int store_create_in_memory(struct store **ret);
int store_add(struct store *s, const void *name, size_t length, const void *data, size_t size);
int store_finish(struct store *s);

/* The number of the last change, with the life of the scoreboard, as this process has seen it last; 0: not known yet. */
uint64_t store_sequence(const struct store *s);

/* After -EREMCHG, in a transaction: whether the lock's page says already that this file is the scoreboard. */
bool store_is_adopted(const struct store *s);

/* While on, sections and transactions do not mind which scoreboard the file is. */
void store_adopting(struct store *s, bool on);

/* From now on this process has that scoreboard open which the last section or transaction saw, whichever it was before. */
void store_adopt(struct store *s);

/* The file with the records; it stays the store's. */
struct file *store_file(struct store *s);

/* In a section: finds out where records lie, which the first commit of a process would find out. Processes that are forked
 * know it from then on. 0. */
int store_prepare(struct store *s);

/* The caller opens no section for a while: gives memory back that only a section uses. It does nothing in a section. */
void store_spare(struct store *s);

/* Closes and frees, giving up a lock or transaction that is still open. Returns NULL. */
struct store *store_close(struct store *s);

/* How many records the largest section or transaction has read or written since the store was opened. It tells
 * how long other processes may have had to wait for a section. */
unsigned store_most_touched(const struct store *s);

/* A process made by fork(2) calls this before it uses a store that its parent opened. self names the process. */
void store_after_fork(struct store *s, const struct holder *self);

/*
 * Begins a critical section that may write, and waits for its turn (lock.h says
 * what is told meanwhile). If another file has been put into the place of this
 * file, that file is opened. 0; -EUCLEAN: damaged; -EIDRM: this file is not the
 * scoreboard any more, and no file is; -EREMCHG: the contents are those of another
 * scoreboard, see store_adopt(); -EINTR: the wait was ended; or -errno.
 * store_begin() and store_begin_repair() return the same.
 */
int store_lock(struct store *s);

/* Ends a critical section; what was not committed has not happened. */
void store_unlock(struct store *s);

/*
 * Makes everything touched since the last commit real, in one step. The section
 * goes on, records fetched before stay valid. 0; -E2BIG if it is more than one
 * step can hold (nothing has happened then); -EIO.
 */
int store_commit(struct store *s);

/* Begins a transaction; store_end() makes it real as a whole, store_cancel() forgets it. 0; -ENOLCK: another program has
 * locks of tdb's (tools.h), and no process waits for that with the lock; or -errno. */
int store_begin(struct store *s);

/* As store_begin(), to repair. *ret_false says that the intent is whole and cannot be applied, so that every other
 * section fails. store_forget() drops that intent. */
int store_begin_repair(struct store *s, bool *ret_false);
int store_forget(struct store *s);

/* In a transaction: the scoreboard begins another life, so that no copy of it that was made before is taken for it. Others
 * are told by the lock's page. 0 or -errno. */
int store_renew_life(struct store *s);

/* Whether the file itself, apart from what the records say, is whole: 0, -EUCLEAN, or -errno. */
int store_check(struct store *s);

/* End a transaction, see store_begin(). store_end(): 0; or -errno: nothing has changed. */
int store_end(struct store *s);
void store_cancel(struct store *s);

/* The result of looking for something that every scoreboard has: -ENOENT is damage, -EUCLEAN. */
static inline int must_exist(int r)
{
	return r == -ENOENT ? -EUCLEAN : r;
}

/*
 * The present contents of a record that may exist, in a copy that lives until the
 * section ends. size is what the caller's structure needs. 0 and *ret; -ENOENT;
 * -EUCLEAN: it has another size; -E2BIG: the section has no room for one more copy;
 * or -errno.
 */
int store_find(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, size_t size, void **ret);

/* The same of a record that must exist. */
static inline int store_get(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, size_t size, void **ret)
{
	return must_exist(store_find(s, kind, a, b, size, ret));
}

/* As store_find(), with ret the address of a pointer to any structure. */
static inline int store_find_as(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, size_t size, void *ret)
{
	void *data;
	int r = store_find(s, kind, a, b, size, &data);

	if (r >= 0)
		(void)memcpy(ret, &data, sizeof(data));
	return r;
}

/* As store_find() and store_get(), with *ret a pointer to the structure that the record holds. */
#define STORE_FIND(store, kind, a, b, ret) store_find_as((store), (kind), (a), (b), sizeof(**(ret)), (ret))
#define STORE_GET(store, kind, a, b, ret) must_exist(STORE_FIND((store), (kind), (a), (b), (ret)))

/* As store_find() for a record of any size. */
int store_find_any(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, void **ret, size_t *ret_size);

/* Says that size bytes at p, inside a copy from store_get(), have changed or are about to. */
void store_touch(struct store *s, const void *p, size_t size);

/* After a commit: ends all copies but that of the section's first record, to keep memory bounded. */
void store_trim(struct store *s);

/* As store_get(), into the caller's own memory and without keeping a copy: for walks over many records. */
int store_read(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, void *data, size_t size);

/* Calls fn for each record of a kind, in no order, until it returns other than 0. fn may read other records. 0, what fn
 * returned, or -errno. */
int store_each(struct store *s, enum store_kind kind, int (*fn)(uint32_t a, uint32_t b, void *arg), void *arg);

/* From now on fn is called for each record that store_put() or store_delete() changes; with NULL no longer. */
void store_watch(struct store *s, void (*fn)(enum store_kind kind, uint32_t a, uint32_t b, void *arg), void *arg);

/* In a transaction: makes a record, or replaces a record that differs; copies fetched before are written first and end.
 * 0 or -errno. */
int store_put(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, const void *data, size_t size);

/* In a transaction: removes a record; copies as above. 0, also if there is none, or -errno. */
int store_delete(struct store *s, enum store_kind kind, uint32_t a, uint32_t b);

/* In a transaction: writes the touched copies and ends them all, to keep memory bounded. 0 or -errno. */
int store_flush(struct store *s);
