/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * salvage.c: reads tdb's bytes without tdb.
 *
 * Each record's head says how long the record is. So a record is found in two
 * ways: by its chain, or by going from one record to the next from the first on.
 * Bytes that only look like a record, and are found in neither way, are doubtful:
 * they may be an old copy, in free space or in the log of a transaction.
 *
 * libtdb's tdb_rescue() does not tell where it found a record, so that an old
 * copy could pass for the record; and it does not free what it allocates for
 * each (1.4.8).
 */

#include "salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tdb.h>

#include "bytes.h"
#include "kept.h"
#include "file.h"
#include "key.h"
#include "lock.h"
#include "page.h"
#include "system/folder.h"
#include "system/whole.h"
#include "tools.h"
#include "version.h"
#include "word.h"

#define FILE_MAX (UINT64_C(1) << 32)
#define TOOLS_MOST_USEC 2000000u /* nothing can be done before; another process may be rebuilding */

struct salvage {
	const struct folder *folder;
	int fd;
	struct lock *lock;           /* NULL: the file is not locked */
	bool is_locked;
	struct stat st;
	unsigned char *bytes;
	size_t size, n;              /* of the file; records found */
	struct store *store;
};

/* ---- finding records ---- */

static bool read_head(const struct salvage *salvage, size_t offset, struct head *ret)
{
	if (offset % 4 || offset < RECORDS_AT || offset > salvage->size || salvage->size - offset < sizeof(*ret))
		return false;
	(void)memcpy(ret, salvage->bytes + offset, sizeof(*ret));
	return ret->length <= salvage->size - offset - sizeof(*ret);
}

static bool is_named(TDB_DATA key, const char *name)
{
	return key.dsize == strlen(name) && memcmp(key.dptr, name, key.dsize) == 0;
}

static bool is_ours(TDB_DATA key)
{
	enum store_kind kind;
	uint32_t a, b;

	return is_named(key, "applied") || is_named(key, "intent") ||
	       key_read((const char *)key.dptr, key.dsize, &kind, &a, &b);
}

/* Adds the record at an offset, unless a record of its name has been found before: that was found in a better way. */
static int add(struct salvage *salvage, size_t offset, bool doubtful)
{
	struct head head;
	TDB_DATA key;

	if (!read_head(salvage, offset, &head) || head.magic != RECORD_MAGIC || head.key_length > head.length ||
	    head.data_length > head.length - head.key_length)
		return 0;
	key = (TDB_DATA){ .dptr = salvage->bytes + offset + sizeof(head), .dsize = head.key_length };
	if (!is_ours(key) || tdb_jenkins_hash(&key) != head.hash)
		return 0;
	salvage->n++;
	return store_add(salvage->store, key.dptr, key.dsize, key.dptr + key.dsize, doubtful ? 0 : head.data_length);
}

static int find_chained(struct salvage *salvage)
{
	size_t steps = salvage->size / sizeof(struct head); /* in a ring, perhaps */
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < STORE_HASH_SIZE && HEADS_AT + 4 * i + 4 <= salvage->size; i++) {
		struct head head;
		uint32_t offset;

		(void)memcpy(&offset, salvage->bytes + HEADS_AT + 4 * i, sizeof(offset));
		for (; r == 0 && offset && steps > 0 && read_head(salvage, offset, &head); steps--, offset = head.next)
			r = add(salvage, offset, false);
	}
	return r;
}

static int find_in_line(struct salvage *salvage)
{
	bool doubtful = false;
	size_t offset = RECORDS_AT;
	struct head head;
	int r = 0;

	while (r == 0 && offset + sizeof(head) <= salvage->size) {
		bool good = read_head(salvage, offset, &head) && head.length % 4 == 0 &&
			    (head.magic == RECORD_MAGIC || head.magic == FREE_MAGIC || head.magic == DEAD_MAGIC ||
			     head.magic == RECOVERY_MAGIC);

		if (!good) {
			/* No record begins here: from here on records in use cannot be told from left-overs. */
			doubtful = true;
			offset += 4;
			continue;
		}
		r = add(salvage, offset, doubtful);
		/* A left-over may contain records. */
		offset += sizeof(head) + (doubtful && head.magic != RECORD_MAGIC ? 0 : head.length);
	}
	return r;
}

/* ---- the file ---- */

static int load(struct salvage *salvage)
{
	if (fstat(salvage->fd, &salvage->st) < 0)
		return -errno;
	if (!S_ISREG(salvage->st.st_mode) || (uint64_t)salvage->st.st_size > FILE_MAX)
		return -EBADMSG;
	salvage->bytes = malloc((size_t)salvage->st.st_size + 1);
	if (!salvage->bytes)
		return -ENOMEM;
	return whole_read(salvage->fd, salvage->bytes, (size_t)salvage->st.st_size, &salvage->size) ?:
	       store_create_in_memory(&salvage->store) ?:
	       find_chained(salvage) ?:
	       find_in_line(salvage) ?:
	       store_finish(salvage->store);
}

/* Opens the file that has the folder's name, if it can be believed. A descriptor, or -errno. */
static int open_file(const struct folder *folder, bool lock)
{
	struct folder_stay stay;
	struct stat st;
	int found = -1, r = folder_enter(folder, &stay);

	if (r < 0)
		return r;
	r = folder_find(folder, folder->name, &found, &st) ?:
	    folder_trusts(folder, &st) ?:
	    folder_open_file(folder, folder->name, found, lock ? O_RDWR : O_RDONLY);
	if (found >= 0)
		(void)close(found);
	folder_leave(&stay);
	return r;
}

/* Takes the lock, and tdb's own locks. 0; -EBUSY: another process has one of tdb's; -ESTALE: another file has taken this
 * file's place, and there is nothing to lock; or -errno. */
static int try_locks(struct salvage *salvage)
{
	int r = lock_take(salvage->lock);

	if (r < 0)
		return r;
	r = tools_keep_out_of_all(salvage->fd);
	if (r == 0)
		salvage->is_locked = true;
	else
		(void)lock_leave(salvage->lock);
	return r;
}

/* As try_locks(), but waits. 1 in place of -ESTALE. */
static int take_locks(struct salvage *salvage)
{
	struct tools_wait wait = tools_wait_begin(TOOLS_MOST_USEC);
	bool told = false;
	int r = lock_open(salvage->folder, salvage->fd, &salvage->lock);

	if (r < 0)
		return r;
	do
		r = try_locks(salvage);
	while (r == -EBUSY && (r = tools_wait(&wait, salvage->fd, &told)) == 0);
	return r == -ESTALE ? 1 : r;
}

int salvage_open(const struct folder *folder, int fd, bool lock, struct salvage **ret)
{
	struct salvage *salvage = calloc(1, sizeof(*salvage));
	int r, retired = 0;

	if (!salvage) {
		if (fd >= 0)
			(void)close(fd);
		return -ENOMEM;
	}
	salvage->folder = folder;
	salvage->fd = fd >= 0 ? fd : open_file(folder, lock);
	r = salvage->fd < 0 ? salvage->fd : 0;
	if (r == 0 && lock)
		r = retired = take_locks(salvage);
	if (r >= 0)
		r = load(salvage);
	if (r < 0) {
		(void)salvage_close(salvage);
		return r;
	}
	*ret = salvage;
	return retired;
}

struct salvage *salvage_close(struct salvage *salvage)
{
	if (!salvage)
		return NULL;
	if (salvage->is_locked)
		(void)lock_leave(salvage->lock);
	(void)lock_close(salvage->lock);
	if (salvage->fd >= 0)
		(void)close(salvage->fd); /* this gives up all of tdb's locks, too */
	(void)store_close(salvage->store);
	free(salvage->bytes);
	free(salvage);
	return NULL;
}

void salvage_retire(struct salvage *salvage)
{
	if (!salvage->is_locked)
		return;
	lock_retire(salvage->lock);
	(void)lock_leave(salvage->lock);
	salvage->is_locked = false;
}

static int note(uint32_t a, uint32_t b, void *arg)
{
	(void)a;
	(void)b;
	(void)arg;
	return 1;
}

/* Whether a byte of the file belongs to a word of its lock. */
static bool is_of_lock(size_t at)
{
	return (at >= WORD_AT && at < WORD_AT + WORD_SIZE) ||
	       (at >= WORD_UNTIL_AT && at < WORD_UNTIL_AT + sizeof(uint64_t));
}

/* Whether the file begins as a tdb file with a scoreboard's number of chains, as far as it goes: it may have been cut
 * short within that, and then has nothing that could be another program's. */
static bool begins_as_ours(const struct salvage *salvage)
{
	static const char magic[] = "TDB file\n";
	static const uint32_t hash_size = STORE_HASH_SIZE;
	size_t n = salvage->size < sizeof(magic) - 1 ? salvage->size : sizeof(magic) - 1;

	return n > 0 && memcmp(salvage->bytes, magic, n) == 0 &&
	       (salvage->size < HASH_SIZE_AT + sizeof(hash_size) ||
		memcmp(salvage->bytes + HASH_SIZE_AT, &hash_size, sizeof(hash_size)) == 0);
}

int salvage_check(struct salvage *salvage)
{
	struct store *store = salvage->store;
	size_t size, i = 0;
	void *version;
	int r;

	if (store_find_any(store, STORE_VERSION, 0, 0, &version, &size) == 0 && size > 0)
		return version_check(version, size);
	r = store_each(store, STORE_NODE, note, NULL) ?: store_each(store, STORE_SLOTS, note, NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	if (salvage->n == 0 && begins_as_ours(salvage)) /* and no record is left */
		return 0;
	/* A file of zeros is no other program's. What processes write into its head for the lock does not count. */
	while (i < salvage->size && (salvage->bytes[i] == 0 || is_of_lock(i)))
		i++;
	return i == salvage->size ? 0 : -EBADMSG;
}

uint32_t salvage_format(struct salvage *salvage)
{
	void *version;
	size_t size;

	return store_find_any(salvage->store, STORE_VERSION, 0, 0, &version, &size) == 0 ? version_upgradable(version, size) : 0;
}

/* What the scoreboard's page was last used for, if the file's lock has a page. */
static struct page_use last_use(const struct salvage *salvage)
{
	return salvage->lock ? page_last_use(lock_page(salvage->lock)) : (struct page_use){ 0 };
}

/* Whether the page knows of a later change in the life of a change. */
static bool is_later(const struct page_use *use, uint64_t sequence)
{
	return use->applied > sequence && use->applied >> STORE_LIFE_SHIFT == sequence >> STORE_LIFE_SHIFT;
}

uint64_t salvage_sequence(const struct salvage *salvage)
{
	uint64_t sequence = store_sequence(salvage->store);
	struct page_use use = last_use(salvage);

	if (sequence == 0)
		sequence = (uint64_t)use.life << STORE_LIFE_SHIFT;
	return is_later(&use, sequence) ? use.applied : sequence;
}

bool salvage_is_earlier(const struct salvage *salvage)
{
	uint64_t sequence = store_sequence(salvage->store);
	struct page_use use = last_use(salvage);

	return sequence != 0 && is_later(&use, sequence);
}

const struct stat *salvage_stat(const struct salvage *salvage)
{
	return &salvage->st;
}

struct store *salvage_store(const struct salvage *salvage)
{
	return salvage->store;
}

/* Gives the copy a name with the time of day, and a number if that is taken. */
static int name_copy(const struct folder *folder, struct folder_file *file, char **ret)
{
	char stamp[32];
	struct tm tm;
	time_t now = time(NULL);
	int r = -EEXIST;

	if (!localtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm) == 0)
		return -EINVAL;
	for (unsigned n = 0; r == -EEXIST; n++) {
		char number[16] = "", *name;

		if (n > 0)
			(void)snprintf(number, sizeof(number), ".%u", n);
		if (asprintf(&name, "%s.damaged-%s%s", folder->name, stamp, number) < 0)
			return -ENOMEM;
		r = folder_publish(folder, file, name);
		if (r == 0)
			*ret = name;
		else
			free(name);
	}
	return r;
}

int salvage_keep(const struct salvage *salvage, char **ret)
{
	struct folder_file file = { .fd = -1 };
	struct folder_stay stay;
	int r = folder_enter(salvage->folder, &stay);

	if (r < 0)
		return r;
	r = folder_make(salvage->folder, &file) ?: whole_write(file.fd, salvage->bytes, salvage->size);
	/* The copy gets the scoreboard's owner and mode. If that is not allowed, the copy is this user's alone. */
	if (r == 0 && fchown(file.fd, salvage->st.st_uid, salvage->st.st_gid) == 0)
		(void)fchmod(file.fd, salvage->st.st_mode & 0660);
	if (r == 0)
		r = name_copy(salvage->folder, &file, ret);
	folder_file_close(salvage->folder, &file);
	folder_leave(&stay);
	kept_trim(salvage->folder, r == 0 ? *ret : NULL);
	return r;
}
