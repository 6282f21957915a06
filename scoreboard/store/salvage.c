/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * salvage.c: reads tdb's bytes without tdb, and writes them.
 *
 * A tdb file is a header, the heads of the free list and of the hash chains,
 * and then one record behind the other, each with a header that says how long
 * it is. So a record is found in two ways: by its chain, or by going from one
 * record to the next from the first on. What is found in neither way, but
 * only because somewhere there is something that looks like it, is doubtful:
 * it may be an old copy, in free space or in the log of a transaction.
 *
 * A whole scoreboard gets into place so that nobody takes a half one for
 * whole: first all heads become 0, so that nobody finds a record any more;
 * then the whole one gets the name PATH.rebuilt, by which one who is killed
 * from here on tells the next what to do; then its bytes are copied, last the
 * head of the chain by which every section finds the record "applied".
 */

#include "salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "intent.h"
#include "kept.h"
#include "key.h"
#include "lock.h"
#include "system/folder.h"
#include "version.h"

#define RECORD_MAGIC UINT32_C(0x26011999)
#define FREE_MAGIC (~RECORD_MAGIC)
#define DEAD_MAGIC UINT32_C(0xfee1dead)
#define RECOVERY_MAGIC UINT32_C(0xf53bc0e7)
#define LOCKS_OF_ALL 168u        /* tdb's header; its bytes are locks, too */
#define HEADS_AT (LOCKS_OF_ALL + 4u)
#define RECORDS_AT (HEADS_AT + 4u * STORE_HASH_SIZE)
#define FILE_MAX (UINT64_C(1) << 32)
#define REBUILT ".rebuilt"
#define KIND_APPLIED STORE_KIND_MAX_
#define KIND_INTENT (STORE_KIND_MAX_ + 1)

/* As in tdb's file. */
struct head {
	uint32_t next, length, key_length, data_length, hash, magic;
};

enum rank { CHAINED, IN_LINE, DOUBTFUL };

struct find {
	uint32_t kind, a, b;
	enum rank rank;
	size_t offset, size;     /* of the data */
};

struct salvage {
	struct folder folder;
	int fd;
	struct lock *lock;       /* NULL: it is only looked at */
	bool is_locked;
	struct stat st;
	unsigned char *bytes, *worked; /* as found; with a change that was being made */
	size_t size;
	struct find *finds;
	size_t n, room;
};

/* ---- finding records ---- */

static bool read_head(const struct salvage *wreck, size_t offset, struct head *ret)
{
	if (offset % 4 || offset < RECORDS_AT || offset > wreck->size || wreck->size - offset < sizeof(*ret))
		return false;
	(void)memcpy(ret, wreck->bytes + offset, sizeof(*ret));
	return ret->length <= wreck->size - offset - sizeof(*ret);
}

static bool is_named(const char *key, size_t length, const char *name)
{
	return length == strlen(name) && memcmp(key, name, length) == 0;
}

static bool read_name(const char *key, size_t length, struct find *ret)
{
	enum store_kind kind;

	if (is_named(key, length, "applied"))
		ret->kind = KIND_APPLIED;
	else if (is_named(key, length, "intent"))
		ret->kind = KIND_INTENT;
	else if (key_read(key, length, &kind, &ret->a, &ret->b))
		ret->kind = kind;
	else
		return false;
	return true;
}

static int add(struct salvage *wreck, size_t offset, enum rank rank)
{
	struct find find = { .rank = rank };
	struct head head;

	if (!read_head(wreck, offset, &head) || head.magic != RECORD_MAGIC || head.key_length > head.length ||
	    head.data_length > head.length - head.key_length)
		return 0;
	offset += sizeof(head);
	if (!read_name((const char *)wreck->bytes + offset, head.key_length, &find))
		return 0;
	find.offset = offset + head.key_length;
	find.size = head.data_length;
	if (wreck->n == wreck->room) {
		size_t room = wreck->room ? wreck->room * 2 : 256;
		struct find *finds = reallocarray(wreck->finds, room, sizeof(*finds));

		if (!finds)
			return -ENOMEM;
		wreck->finds = finds;
		wreck->room = room;
	}
	wreck->finds[wreck->n++] = find;
	return 0;
}

static int find_chained(struct salvage *wreck)
{
	size_t steps = wreck->size / sizeof(struct head); /* in a ring, perhaps */
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < STORE_HASH_SIZE && HEADS_AT + 4 * i + 4 <= wreck->size; i++) {
		struct head head;
		uint32_t offset;

		(void)memcpy(&offset, wreck->bytes + HEADS_AT + 4 * i, sizeof(offset));
		for (; r == 0 && offset && steps > 0 && read_head(wreck, offset, &head); steps--, offset = head.next)
			r = add(wreck, offset, CHAINED);
	}
	return r;
}

static int find_in_line(struct salvage *wreck)
{
	enum rank rank = IN_LINE;
	size_t offset = RECORDS_AT;
	struct head head;
	int r = 0;

	while (r == 0 && offset + sizeof(head) <= wreck->size) {
		bool good = read_head(wreck, offset, &head) && head.length % 4 == 0 &&
			    (head.magic == RECORD_MAGIC || head.magic == FREE_MAGIC || head.magic == DEAD_MAGIC ||
			     head.magic == RECOVERY_MAGIC);

		if (!good) {
			/* Off the line: from here on it cannot be told what is in use and what is a left-over. */
			rank = DOUBTFUL;
			offset += 4;
			continue;
		}
		r = add(wreck, offset, rank);
		/* In a left-over there may be others. */
		offset += sizeof(head) + (rank == DOUBTFUL && head.magic != RECORD_MAGIC ? 0 : head.length);
	}
	return r;
}

static int compare_keys(const struct find *x, const struct find *y)
{
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x->b == y->b ? 0 : x->b < y->b ? -1 : 1;
}

static int compare(const void *a, const void *b)
{
	const struct find *x = a, *y = b;
	int r = compare_keys(x, y);

	return r ? r : x->rank == y->rank ? 0 : x->rank < y->rank ? -1 : 1;
}

/* Of several by the same key the first, which is the most credible. */
static void sort(struct salvage *wreck)
{
	size_t kept = 0;

	if (wreck->n > 0)
		qsort(wreck->finds, wreck->n, sizeof(wreck->finds[0]), compare);
	for (size_t i = 0; i < wreck->n; i++)
		if (kept == 0 || compare_keys(&wreck->finds[kept - 1], &wreck->finds[i]) != 0)
			wreck->finds[kept++] = wreck->finds[i];
	wreck->n = kept;
}

static const struct find *lookup(const struct salvage *wreck, uint32_t kind, uint32_t a, uint32_t b)
{
	struct find key = { .kind = kind, .a = a, .b = b };
	size_t low = 0, high = wreck->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = compare_keys(&wreck->finds[middle], &key);

		if (r == 0)
			return &wreck->finds[middle];
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static uint64_t read_sequence(const struct salvage *wreck)
{
	const struct find *find = lookup(wreck, KIND_APPLIED, 0, 0);
	uint64_t sequence = 0;

	if (find && find->rank != DOUBTFUL && find->size == sizeof(sequence))
		(void)memcpy(&sequence, wreck->bytes + find->offset, sizeof(sequence));
	return sequence;
}

/* A patch of a change that was being made. */
static int finish_one(const struct patch *patch, const unsigned char *bytes, void *arg)
{
	struct salvage *wreck = arg;
	const struct find *find = patch->kind < STORE_KIND_MAX_ ? lookup(wreck, patch->kind, patch->a, patch->b) : NULL;

	if (find && find->rank != DOUBTFUL && patch->offset <= find->size && patch->size <= find->size - patch->offset)
		(void)memcpy(wreck->worked + find->offset + patch->offset, bytes, patch->size);
	return 0;
}

static void finish_change(struct salvage *wreck)
{
	const struct find *find = lookup(wreck, KIND_INTENT, 0, 0);
	uint64_t applied = read_sequence(wreck);
	struct intent intent;

	if (!find || find->rank == DOUBTFUL || find->size != sizeof(intent) || !applied)
		return;
	(void)memcpy(&intent, wreck->bytes + find->offset, sizeof(intent));
	if (intent.sequence == applied + 1 && intent_is_whole(&intent))
		(void)intent_each(&intent, finish_one, wreck);
}

/* ---- the file ---- */

static int read_all(int fd, unsigned char *bytes, size_t size, size_t *ret_size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = pread(fd, bytes + n, size - n, (off_t)n);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
	}
	*ret_size = n;
	return 0;
}

static int write_all(int fd, const unsigned char *bytes, size_t size, size_t offset)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, bytes, size, (off_t)offset);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			offset += (size_t)n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int load(struct salvage *wreck)
{
	int r;

	if (fstat(wreck->fd, &wreck->st) < 0)
		return -errno;
	if (!S_ISREG(wreck->st.st_mode) || (uint64_t)wreck->st.st_size > FILE_MAX)
		return -EBADMSG;
	wreck->bytes = malloc((size_t)wreck->st.st_size + 1);
	wreck->worked = malloc((size_t)wreck->st.st_size + 1);
	if (!wreck->bytes || !wreck->worked)
		return -ENOMEM;
	r = read_all(wreck->fd, wreck->bytes, (size_t)wreck->st.st_size, &wreck->size);
	if (r == 0)
		r = find_chained(wreck);
	if (r == 0)
		r = find_in_line(wreck);
	if (r < 0)
		return r;
	sort(wreck);
	(void)memcpy(wreck->worked, wreck->bytes, wreck->size);
	finish_change(wreck);
	return 0;
}

/*
 * All that tdb locks, in the order in which it locks. These locks belong to
 * the process, which must have none of the file itself now.
 */
static int take_locks(int fd)
{
	static const struct { off_t start, length; } parts[] = { { 0, LOCKS_OF_ALL }, { LOCKS_OF_ALL, 0 } };
	unsigned i = 0;

	while (i < 2) {
		struct flock lock = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = parts[i].start, .l_len = parts[i].length,
		};

		if (fcntl(fd, F_SETLKW, &lock) == 0) {
			i++;
		} else if (errno == EDEADLK) {
			/* With one who mends a transaction, which takes them the other way round. */
			lock = (struct flock){ .l_type = F_UNLCK, .l_whence = SEEK_SET };
			(void)fcntl(fd, F_SETLK, &lock);
			i = 0;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* Opens the file name of the wreck's folder: name NULL is its own. */
static int open_file(struct salvage *wreck, const char *name, int flags)
{
	struct folder_stay stay;
	struct stat st;
	int found = -1, r = folder_enter(&wreck->folder, &stay);

	if (r < 0)
		return r;
	if (!name)
		name = wreck->folder.name;
	r = folder_find(&wreck->folder, name, &found, &st);
	if (r == 0)
		r = folder_trusts(&wreck->folder, &st);
	/* What one of the folder's group has made there is the group's: it may write the scoreboard itself. */
	if (r == -EKEYREJECTED && name != wreck->folder.name && !(wreck->folder.mode & S_IWOTH))
		r = 0;
	if (r == 0)
		r = folder_open_file(&wreck->folder, name, found, flags);
	if (found >= 0)
		(void)close(found);
	folder_leave(&stay);
	return r;
}

static int new_wreck(const char *path, bool locked, struct salvage **ret)
{
	struct salvage *wreck = calloc(1, sizeof(*wreck));
	int r;

	if (!wreck)
		return -ENOMEM;
	wreck->fd = wreck->folder.fd = -1;
	r = folder_open(path, &wreck->folder);
	if (r == 0) {
		wreck->fd = open_file(wreck, NULL, locked ? O_RDWR : O_RDONLY);
		r = wreck->fd < 0 ? wreck->fd : 0;
	}
	if (r == 0 && locked)
		r = lock_open(&wreck->folder, wreck->fd, &wreck->lock);
	if (r == 0 && locked) {
		r = lock_take(wreck->lock);
		wreck->is_locked = r >= 0;
	}
	if (r >= 0 && locked)
		r = take_locks(wreck->fd);
	if (r == 0)
		r = load(wreck);
	if (r < 0)
		(void)salvage_close(wreck);
	else
		*ret = wreck;
	return r;
}

uint16_t salvage_peek(const char *path)
{
	struct salvage *wreck;
	uint16_t generation;

	if (new_wreck(path, false, &wreck) < 0)
		return 0;
	generation = salvage_generation(wreck);
	(void)salvage_close(wreck);
	return generation;
}

int salvage_is_ours(const char *path)
{
	struct salvage *wreck;
	int r = new_wreck(path, false, &wreck);

	if (r == 0) {
		r = salvage_check(wreck);
		(void)salvage_close(wreck);
	}
	return r;
}

static int rebuilt_name(const struct salvage *wreck, char **ret)
{
	return asprintf(ret, "%s" REBUILT, wreck->folder.name) < 0 ? -ENOMEM : 0;
}

/* Whether a whole scoreboard was being copied over the file. */
static bool is_half_copied(const char *path)
{
	struct folder_stay stay;
	struct salvage *wreck;
	struct stat st;
	int fd = -1, r;
	char *name;

	if (new_wreck(path, false, &wreck) < 0)
		return false;
	r = rebuilt_name(wreck, &name);
	if (r == 0 && folder_enter(&wreck->folder, &stay) == 0) {
		if (folder_find(&wreck->folder, name, &fd, &st) == 0)
			(void)close(fd);
		folder_leave(&stay);
	}
	if (r == 0)
		free(name);
	(void)salvage_close(wreck);
	return fd >= 0;
}

int salvage_open(const char *path, struct salvage **ret)
{
	int r = salvage_is_ours(path);

	/* Taking the lock writes into the file, so the file must be ours. A half copied one need not look so. */
	if (r < 0 && !(r == -EBADMSG && is_half_copied(path)))
		return r;
	return new_wreck(path, true, ret);
}

struct salvage *salvage_close(struct salvage *wreck)
{
	if (!wreck)
		return NULL;
	if (wreck->fd >= 0)
		(void)close(wreck->fd); /* and with it all locks of tdb's */
	if (wreck->is_locked)
		(void)lock_leave(wreck->lock);
	(void)lock_close(wreck->lock);
	folder_close(&wreck->folder);
	free(wreck->bytes);
	free(wreck->worked);
	free(wreck->finds);
	free(wreck);
	return NULL;
}

int salvage_check(const struct salvage *wreck)
{
	const struct find *find = lookup(wreck, STORE_VERSION, 0, 0);
	size_t nodes = 0, i = 0;

	if (find)
		return version_check(wreck->bytes + find->offset, find->size);
	for (size_t j = 0; j < wreck->n; j++)
		nodes += wreck->finds[j].kind == STORE_NODE || wreck->finds[j].kind == STORE_SLOTS;
	if (nodes > 0)
		return 0;
	/* A tdb file as we make them, of which no record is left. */
	if (wreck->n == 0 && wreck->size >= LOCKS_OF_ALL && memcmp(wreck->bytes, "TDB file\n", 9) == 0 &&
	    memcmp(wreck->bytes + 36, &(uint32_t){ STORE_HASH_SIZE }, 4) == 0)
		return 0;
	/* Nothing at all is nobody else's; but for who is in a section now. */
	while (i < wreck->size && (wreck->bytes[i] == 0 || (i >= LOCK_WORD_AT && i < LOCK_WORD_AT + LOCK_WORD_SIZE)))
		i++;
	return i == wreck->size ? 0 : -EBADMSG;
}

uint16_t salvage_generation(const struct salvage *wreck)
{
	return (uint16_t)(read_sequence(wreck) >> STORE_GENERATION_SHIFT);
}

const struct stat *salvage_stat(const struct salvage *wreck)
{
	return &wreck->st;
}

const void *salvage_get(const struct salvage *wreck, enum store_kind kind, uint32_t a, uint32_t b, size_t size)
{
	const struct find *find = lookup(wreck, kind, a, b);

	return find && find->rank != DOUBTFUL && find->size == size ? wreck->worked + find->offset : NULL;
}

int salvage_each(const struct salvage *wreck, enum store_kind kind, bool doubtful,
	       int (*fn)(uint32_t a, uint32_t b, const void *data, size_t size, void *arg), void *arg)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < wreck->n; i++) {
		const struct find *find = &wreck->finds[i];

		if (find->kind == (uint32_t)kind && (doubtful || find->rank != DOUBTFUL))
			r = fn(find->a, find->b, wreck->worked + find->offset, find->size, arg);
	}
	return r;
}

/* Gives the copy a name with the time of day, and a number if that is taken. */
static int name_copy(const struct salvage *wreck, struct folder_file *file, char **ret)
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
		if (asprintf(&name, "%s.damaged-%s%s", wreck->folder.name, stamp, number) < 0)
			return -ENOMEM;
		r = folder_publish(&wreck->folder, file, name);
		if (r == 0)
			*ret = name;
		else
			free(name);
	}
	return r;
}

int salvage_keep(const struct salvage *wreck, char **ret)
{
	struct folder_file file = { .fd = -1 };
	struct folder_stay stay;
	int r = folder_enter(&wreck->folder, &stay);

	if (r < 0)
		return r;
	r = folder_make(&wreck->folder, &file);
	if (r == 0)
		r = write_all(file.fd, wreck->bytes, wreck->size, 0);
	/* As the scoreboard; who may not give it to its owner keeps it to himself. */
	if (r == 0 && fchown(file.fd, wreck->st.st_uid, wreck->st.st_gid) == 0)
		(void)fchmod(file.fd, wreck->st.st_mode & 0660);
	if (r == 0)
		r = name_copy(wreck, &file, ret);
	folder_file_close(&wreck->folder, &file);
	folder_leave(&stay);
	kept_trim(&wreck->folder);
	return r;
}

/* Copies a whole one over the file. The locks are ours, and nobody finds a record in it. */
static int copy_over(struct salvage *wreck, const struct salvage *made)
{
	static const unsigned char zeros[65536];
	size_t last = 0, size = made->size, end;
	const struct find *applied = NULL;
	int r;

	for (size_t i = 0; i < made->n; i++)
		if (made->finds[i].kind == KIND_APPLIED && made->finds[i].rank == CHAINED)
			applied = &made->finds[i];
	if (!applied || size < RECORDS_AT)
		return -EUCLEAN;
	/* The chain that leads to it. */
	for (uint32_t i = 0; last == 0 && i < STORE_HASH_SIZE; i++) {
		struct head head = { .next = 0 };
		uint32_t offset;

		(void)memcpy(&offset, made->bytes + HEADS_AT + 4 * i, sizeof(offset));
		for (; last == 0 && offset && read_head(made, offset, &head); offset = head.next)
			if (offset + sizeof(head) + strlen("applied") == applied->offset)
				last = HEADS_AT + 4 * i;
	}
	if (last == 0)
		return -EUCLEAN;
	/* Never shorter: others may have all of it mapped. What is behind the end is dead space to tdb. */
	end = size > (size_t)wreck->st.st_size ? size : (size_t)wreck->st.st_size;
	r = write_all(wreck->fd, made->bytes + RECORDS_AT, size - RECORDS_AT, RECORDS_AT);
	while (r == 0 && size < end) {
		size_t part = end - size < sizeof(zeros) ? end - size : sizeof(zeros);

		r = write_all(wreck->fd, zeros, part, size);
		size += part;
	}
	if (r == 0)
		r = write_all(wreck->fd, made->bytes, last, 0);
	if (r == 0)
		r = write_all(wreck->fd, made->bytes + last + 4, RECORDS_AT - last - 4, last + 4);
	if (r == 0)
		r = write_all(wreck->fd, made->bytes + last, 4, last);
	return r;
}

static int remove_file(const struct salvage *wreck, const char *name)
{
	struct folder_stay stay;
	int r = folder_enter(&wreck->folder, &stay);

	if (r < 0)
		return r;
	r = unlinkat(wreck->folder.fd, name, 0) < 0 ? -errno : 0;
	folder_leave(&stay);
	return r;
}

/* The bytes of a store that is made and nobody else has. */
static int read_made(struct store *store, struct salvage **ret)
{
	struct salvage *made = calloc(1, sizeof(*made));
	int r;

	if (!made)
		return -ENOMEM;
	made->folder.fd = -1;
	made->fd = store_fd(store);
	r = load(made);
	made->fd = -1; /* it stays the store's */
	if (r < 0)
		(void)salvage_close(made);
	else
		*ret = made;
	return r;
}

int salvage_replace(struct salvage *wreck, struct store *store)
{
	static const unsigned char zeros[RECORDS_AT - HEADS_AT];
	struct salvage *made = NULL;
	char *name = NULL;
	int r = read_made(store, &made);

	if (r == 0)
		r = rebuilt_name(wreck, &name);
	/* Room first: from the next step on there is no way back. */
	if (r == 0)
		r = -posix_fallocate(wreck->fd, 0, (off_t)made->size);
	if (r == 0)
		r = write_all(wreck->fd, zeros, sizeof(zeros), HEADS_AT);
	if (r == 0) {
		r = store_publish(store, name);
		if (r == -EEXIST) {
			/* A left-over: salvage_resume() had no use for it. */
			(void)remove_file(wreck, name);
			r = store_publish(store, name);
		}
	}
	if (r == 0)
		r = copy_over(wreck, made);
	if (r == 0)
		r = remove_file(wreck, name);
	free(name);
	(void)salvage_close(made);
	return r;
}

static int read_beside(const struct salvage *wreck, const char *name, struct salvage **ret)
{
	struct salvage *made = calloc(1, sizeof(*made));
	int r;

	if (!made)
		return -ENOMEM;
	made->folder = wreck->folder;
	made->fd = open_file(made, name, O_RDONLY);
	made->folder = (struct folder){ .fd = -1 }; /* it stays the wreck's */
	r = made->fd < 0 ? made->fd : load(made);
	if (r < 0)
		(void)salvage_close(made);
	else
		*ret = made;
	return r;
}

int salvage_resume(struct salvage *wreck)
{
	const struct find *applied = lookup(wreck, KIND_APPLIED, 0, 0);
	struct salvage *made = NULL;
	char *name;
	int r = rebuilt_name(wreck, &name), removed;

	if (r < 0)
		return r;
	r = read_beside(wreck, name, &made);
	if (r == -ENOENT) {
		free(name);
		return 1;
	}
	/* If a section could find "applied", the copying had come to its end, and this is a left-over. */
	if (r == 0 && applied && (applied->rank == CHAINED || read_sequence(wreck) > read_sequence(made)))
		r = 1;
	if (r == 0)
		r = copy_over(wreck, made);
	if (r >= 0) {
		removed = remove_file(wreck, name);
		r = removed < 0 ? removed : r;
	}
	free(name);
	(void)salvage_close(made);
	return r;
}
