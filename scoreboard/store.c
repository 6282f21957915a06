/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * store.c: tdb, and what it takes to be killed at any instruction.
 *
 * Locking. Every section takes tdb_lockall(): three system calls, and then none
 * for each record. One lock per record was tried and is three times slower, as
 * a claim touches five. tdb's mutexes would be faster still, but are allowed
 * only with TDB_CLEAR_IF_FIRST, which empties the file at every quiet moment.
 *
 * The intent. A section's changes are first written as one record, "intent":
 * a sequence number, a checksum, and a list of patches. Then they are applied,
 * record by record; then the sequence number is written to the record
 * "applied". Whoever takes the lock compares the two:
 *   - killed while the intent was written: its checksum is wrong, the records
 *     are untouched: it has not happened.
 *   - killed while it was applied: the checksum is right and the numbers
 *     differ: all patches are written again. That is harmless however far the
 *     dead one came, since a patch is plain bytes and nobody wrote since.
 * So no single store needs to be atomic, and no record a checksum of its own.
 *
 * tdb itself is safe with that: an overwrite at the same size moves no record
 * and never touches its freelist. Anything else happens in a tdb transaction,
 * which has a recovery of its own. TDB_NOSYNC: the file need not outlive the
 * machine, only processes, so fsync(2) would buy nothing.
 *
 * After fork(2) parent and child go on with the same context. tdb's locks are
 * fcntl(2) locks, which belong to a process, and it has no file offset.
 */

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

#include <tdb.h>

/* STORE_HASH_SIZE, the chains: two records each at 10,000 nodes, 32 kB when empty. */
#define COPIES_MAX 48
#define RANGES_MAX 8
#define INTENT_SIZE 4096
#define RECORD_MAX 4096   /* larger than any; a record that is larger is damaged */
#define ARENA_SIZE (COPIES_MAX * 2304u)
#define KEY_MAX 32
#define SMALLEST_FILE (512 * 1024) /* what an empty farm needs, about */

struct range {
	uint32_t offset, size;
};

/* A record being worked on. */
struct copy {
	enum store_kind kind;
	uint32_t a, b;
	unsigned char *data; /* in the arena */
	size_t size;
	struct range dirty[RANGES_MAX];
	unsigned n_dirty;
};

struct intent_head {
	uint64_t sequence;
	uint64_t checksum;   /* of everything behind it, and the sequence */
	uint32_t size;       /* bytes used, this head included */
	uint32_t n_patches;
};

struct patch {
	uint32_t kind, a, b, offset, size, reserved;
	/* size bytes follow, filled up to a multiple of 8 */
};

struct store {
	struct tdb_context *tdb;   /* NULL: it could not be opened anew */
	char *path;
	enum { UNLOCKED, LOCKED, TRANSACTION } mode;
	uint64_t sequence;   /* the last one applied; valid while locked */
	uint16_t generation; /* of the file as it is mapped; 0: not known yet */
	off_t size;          /* of the file, at least */
	bool is_new;         /* it is being made, and has no intent yet */
	struct copy copies[COPIES_MAX];
	unsigned n_copies;
	_Alignas(8) unsigned char intent[INTENT_SIZE];
	/* The copies' bytes, one behind the other: few pages, which is what a process made by fork(2) pays for. */
	_Alignas(16) unsigned char arena[ARENA_SIZE];
};

static const char *const kind_names[STORE_KIND_MAX_] = {
	[STORE_VERSION] = "version", [STORE_FARM] = "farm",   [STORE_NODE] = "node",
	[STORE_SLOTS] = "slots",     [STORE_QUEUE] = "queue", [STORE_INDEX] = "index",
	[STORE_SPEED] = "speed",
	[STORE_LOST] = "lost",
};

/* How many of a kind's two numbers are part of its key. */
static const unsigned char kind_numbers[STORE_KIND_MAX_] = {
	[STORE_NODE] = 1, [STORE_SLOTS] = 2, [STORE_QUEUE] = 1, [STORE_INDEX] = 2,
	[STORE_SPEED] = 1,
};

const char *store_kind_name(enum store_kind kind)
{
	return kind_names[kind];
}

unsigned store_kind_numbers(enum store_kind kind)
{
	return kind_numbers[kind];
}

static char *append_number(char *p, uint32_t n)
{
	char digits[10];
	unsigned i = 0;

	*p++ = '/';
	do
		digits[i++] = (char)('0' + n % 10);
	while (n /= 10);
	while (i)
		*p++ = digits[--i];
	return p;
}

/* "slots/7/0": text, so that tdbdump and tdbtool show it. On the path of every claim, hence no printf. */
static TDB_DATA make_key(char buffer[static KEY_MAX], enum store_kind kind, uint32_t a, uint32_t b)
{
	size_t length = strlen(kind_names[kind]);
	char *p;

	(void)memcpy(buffer, kind_names[kind], length);
	p = buffer + length;
	if (kind_numbers[kind] > 0)
		p = append_number(p, a);
	if (kind_numbers[kind] > 1)
		p = append_number(p, b);
	return (TDB_DATA){ .dptr = (unsigned char *)buffer, .dsize = (size_t)(p - buffer) };
}

static TDB_DATA name_key(const char *name)
{
	return (TDB_DATA){ .dptr = (unsigned char *)(uintptr_t)name, .dsize = strlen(name) };
}

/* Whether the file system is too full for the file to grow, which tdb tells apart from nothing else. */
static bool is_full(struct tdb_context *tdb)
{
	struct statvfs vfs;

	return errno == ENOSPC || errno == EDQUOT ||
	       (fstatvfs(tdb_fd(tdb), &vfs) == 0 && vfs.f_bavail * vfs.f_frsize < SMALLEST_FILE);
}

static int tdb_errno(struct tdb_context *tdb)
{
	switch (tdb_error(tdb)) {
	case TDB_ERR_NOEXIST:
		return -ENOENT;
	case TDB_ERR_OOM:
		return is_full(tdb) ? -ENOSPC : -ENOMEM;
	case TDB_ERR_CORRUPT:
		return -EUCLEAN;
	case TDB_ERR_IO:
		/* Or an offset behind the end of a file that was cut short. */
		return is_full(tdb) ? -ENOSPC : -EUCLEAN;
	case TDB_ERR_LOCK:
	case TDB_ERR_NOLOCK:
	case TDB_ERR_LOCK_TIMEOUT:
		return -ENOLCK;
	default:
		return -EIO;
	}
}

/* Overwrites a record at its size. */
static int overwrite(struct tdb_context *tdb, TDB_DATA key, const void *data, size_t size)
{
	TDB_DATA value = { .dptr = (unsigned char *)(uintptr_t)data, .dsize = size };

	return tdb_store(tdb, key, value, TDB_MODIFY) < 0 ? tdb_errno(tdb) : 0;
}

static uint64_t checksum(uint64_t seed, const unsigned char *data, size_t size)
{
	uint64_t sum = seed ^ UINT64_C(0x9e3779b97f4a7c15), word;

	for (size_t i = 0; i < size; i += sizeof(word)) {
		(void)memcpy(&word, data + i, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
		sum ^= sum >> 32;
	}
	return sum;
}

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* ---- the intent ---- */

struct fetch {
	void *data;
	size_t size;
	bool fits;
};

static int fetch_fixed(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct fetch *fetch = arg;

	(void)key;
	fetch->fits = value.dsize == fetch->size;
	if (fetch->fits)
		(void)memcpy(fetch->data, value.dptr, value.dsize);
	return 0;
}

static int read_fixed(struct tdb_context *tdb, const char *name, void *data, size_t size)
{
	struct fetch fetch = { .data = data, .size = size };

	if (tdb_parse_record(tdb, name_key(name), fetch_fixed, &fetch) < 0)
		return tdb_error(tdb) == TDB_ERR_NOEXIST ? -EUCLEAN : tdb_errno(tdb);
	return fetch.fits ? 0 : -EUCLEAN;
}

static struct copy *copy_find(struct store *s, enum store_kind kind, uint32_t a, uint32_t b)
{
	for (unsigned i = 0; i < s->n_copies; i++) {
		struct copy *copy = &s->copies[i];

		if (copy->kind == kind && copy->a == a && copy->b == b)
			return copy;
	}
	return NULL;
}

static int copy_write(struct store *s, struct copy *copy)
{
	char buffer[KEY_MAX];

	return overwrite(s->tdb, make_key(buffer, copy->kind, copy->a, copy->b), copy->data, copy->size);
}

static int patch_redo(struct store *s, const struct patch *patch, const unsigned char *bytes)
{
	size_t size;
	void *data;
	int r;

	if (patch->kind >= STORE_KIND_MAX_)
		return -EUCLEAN;
	r = store_get(s, (enum store_kind)patch->kind, patch->a, patch->b, 0, &data, &size);
	if (r < 0)
		return r == -ENOENT || r == -E2BIG ? -EUCLEAN : r;
	if (patch->offset > size || patch->size > size - patch->offset)
		return -EUCLEAN;
	(void)memcpy((unsigned char *)data + patch->offset, bytes, patch->size);
	return copy_write(s, copy_find(s, (enum store_kind)patch->kind, patch->a, patch->b));
}

/* Goes through the patches. 0, what fn said, or -EUCLEAN if they are none. */
static int intent_walk(const unsigned char *intent, const struct intent_head *head,
		       int (*fn)(const struct patch *patch, const unsigned char *bytes, void *arg), void *arg)
{
	const unsigned char *p = intent + sizeof(*head), *end = intent + head->size;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < head->n_patches; i++) {
		struct patch patch;

		if ((size_t)(end - p) < sizeof(patch))
			return -EUCLEAN;
		(void)memcpy(&patch, p, sizeof(patch));
		p += sizeof(patch);
		if ((size_t)(end - p) < padded(patch.size) || patch.size > INTENT_SIZE)
			return -EUCLEAN;
		r = fn(&patch, p, arg);
		p += padded(patch.size);
	}
	return r;
}

/* Whether an intent got whole. */
static bool is_whole(const unsigned char *intent, const struct intent_head *head)
{
	return head->size >= sizeof(*head) && head->size <= INTENT_SIZE && head->size % 8 == 0 &&
	       checksum(head->sequence, intent + 16, head->size - 16) == head->checksum;
}

static int redo_one(const struct patch *patch, const unsigned char *bytes, void *arg)
{
	return patch_redo(arg, patch, bytes);
}

/* Finishes what a process that was killed had begun; see the head of this file. */
static int intent_redo(struct store *s, const struct intent_head *head)
{
	uint64_t sequence = head->sequence;
	int r = intent_walk(s->intent, head, redo_one, s);

	s->n_copies = 0;
	if (r == 0)
		r = overwrite(s->tdb, name_key("applied"), &sequence, sizeof(sequence));
	if (r == 0)
		s->sequence = sequence;
	return r;
}

/* Mostly it has been applied, and its head is all that counts. */
static int intent_fetch(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct store *s = arg;
	struct intent_head head;

	(void)key;
	if (value.dsize != sizeof(s->intent))
		return -EUCLEAN;
	(void)memcpy(&head, value.dptr, sizeof(head));
	(void)memcpy(s->intent, value.dptr, head.sequence == s->sequence ? sizeof(head) : sizeof(s->intent));
	return 0;
}

struct teller {
	void (*fn)(uint32_t kind, uint32_t a, uint32_t b, uint32_t offset, const void *data, uint32_t size, void *arg);
	void *arg;
};

static int tell_one(const struct patch *patch, const unsigned char *bytes, void *arg)
{
	const struct teller *teller = arg;

	teller->fn(patch->kind, patch->a, patch->b, patch->offset, bytes, patch->size, teller->arg);
	return 0;
}

void store_intent_each(const void *intent, size_t size, uint64_t applied,
		       void (*fn)(uint32_t kind, uint32_t a, uint32_t b, uint32_t offset, const void *data,
				  uint32_t size, void *arg),
		       void *arg)
{
	struct intent_head head;

	if (size != INTENT_SIZE)
		return;
	(void)memcpy(&head, intent, sizeof(head));
	if (head.sequence == applied + 1 && is_whole(intent, &head))
		(void)intent_walk(intent, &head, tell_one, &(struct teller){ fn, arg });
}

/* Called at the start of every section, with the lock held. */
static int intent_check(struct store *s)
{
	struct intent_head head;
	int r;

	r = read_fixed(s->tdb, "applied", &s->sequence, sizeof(s->sequence));
	if (r < 0)
		return r;
	r = tdb_parse_record(s->tdb, name_key("intent"), intent_fetch, s);
	if (r < 0)
		return r != -1 || tdb_error(s->tdb) == TDB_ERR_NOEXIST ? -EUCLEAN : tdb_errno(s->tdb);
	(void)memcpy(&head, s->intent, sizeof(head));
	if (head.sequence == s->sequence || !is_whole(s->intent, &head))
		return 0;
	return intent_redo(s, &head);
}

/* Collects the touched ranges into s->intent. 1 if there is anything, 0 if not, -E2BIG. */
static int intent_build(struct store *s)
{
	struct intent_head head = { .sequence = s->sequence + 1, .size = sizeof(head) };

	for (unsigned i = 0; i < s->n_copies; i++) {
		const struct copy *copy = &s->copies[i];

		for (unsigned j = 0; j < copy->n_dirty; j++) {
			struct patch patch = {
				.kind = copy->kind, .a = copy->a, .b = copy->b,
				.offset = copy->dirty[j].offset, .size = copy->dirty[j].size,
			};
			size_t whole = padded(patch.size);

			if (sizeof(patch) + whole > INTENT_SIZE - head.size)
				return -E2BIG;
			(void)memcpy(s->intent + head.size, &patch, sizeof(patch));
			head.size += (uint32_t)sizeof(patch);
			(void)memset(s->intent + head.size + whole - 8, 0, whole ? 8 : 0);
			(void)memcpy(s->intent + head.size, copy->data + patch.offset, patch.size);
			head.size += (uint32_t)whole;
			head.n_patches++;
		}
	}
	if (head.n_patches == 0)
		return 0;
	(void)memcpy(s->intent, &head, sizeof(head));
	head.checksum = checksum(head.sequence, s->intent + 16, head.size - 16);
	(void)memcpy(s->intent, &head, sizeof(head));
	return 1;
}

int store_commit(struct store *s)
{
	uint64_t sequence = s->sequence + 1;
	int r;

	if (s->mode == TRANSACTION)
		return store_flush(s);
	r = intent_build(s);
	if (r <= 0)
		return r;
	r = overwrite(s->tdb, name_key("intent"), s->intent, sizeof(s->intent));
	for (unsigned i = 0; r == 0 && i < s->n_copies; i++) {
		if (s->copies[i].n_dirty > 0)
			r = copy_write(s, &s->copies[i]);
	}
	if (r == 0)
		r = overwrite(s->tdb, name_key("applied"), &sequence, sizeof(sequence));
	if (r < 0)
		return r;
	s->sequence = sequence;
	for (unsigned i = 0; i < s->n_copies; i++)
		s->copies[i].n_dirty = 0;
	return 0;
}

/* ---- copies ---- */

/* Where the bytes of the next copy go. */
static unsigned char *arena_end(struct store *s)
{
	const struct copy *last;

	if (s->n_copies == 0)
		return s->arena;
	last = &s->copies[s->n_copies - 1];
	return last->data + ((last->size + 15) & ~(size_t)15);
}

static int copy_fill(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct store *s = arg;
	struct copy *copy = &s->copies[s->n_copies];

	(void)key;
	copy->data = arena_end(s);
	copy->size = value.dsize;
	if (value.dsize > RECORD_MAX)
		return -EUCLEAN;
	if (value.dsize > (size_t)(s->arena + sizeof(s->arena) - copy->data))
		return -E2BIG;
	(void)memcpy(copy->data, value.dptr, value.dsize);
	return 0;
}

int store_get(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, size_t size,
	      void **ret, size_t *ret_size)
{
	struct copy *copy = copy_find(s, kind, a, b);
	char buffer[KEY_MAX];
	int r;

	if (!copy) {
		if (s->n_copies == COPIES_MAX)
			return -E2BIG;
		copy = &s->copies[s->n_copies];
		copy->kind = kind;
		copy->a = a;
		copy->b = b;
		copy->n_dirty = 0;
		r = tdb_parse_record(s->tdb, make_key(buffer, kind, a, b), copy_fill, s);
		if (r < 0)
			return r == -1 ? tdb_errno(s->tdb) : r;
		s->n_copies++;
	}
	if (size && copy->size != size)
		return -EUCLEAN;
	*ret = copy->data;
	if (ret_size)
		*ret_size = copy->size;
	return 0;
}

void store_touch(struct store *s, const void *p, size_t size)
{
	const unsigned char *at = p;

	for (unsigned i = 0; i < s->n_copies; i++) {
		struct copy *copy = &s->copies[i];
		uint32_t offset;

		if (at < copy->data || at + size > copy->data + copy->size)
			continue;
		offset = (uint32_t)(at - copy->data);
		for (unsigned j = 0; j < copy->n_dirty; j++)
			if (offset >= copy->dirty[j].offset &&
			    offset + size <= copy->dirty[j].offset + copy->dirty[j].size)
				return;
		if (copy->n_dirty == RANGES_MAX) {
			copy->n_dirty = 1;
			copy->dirty[0] = (struct range){ 0, (uint32_t)copy->size };
			return;
		}
		copy->dirty[copy->n_dirty++] = (struct range){ offset, (uint32_t)size };
		return;
	}
	abort(); /* not one of ours: a bug that must not write a half-true scoreboard */
}

void store_trim(struct store *s)
{
	for (unsigned i = 0; i < s->n_copies; i++)
		if (s->copies[i].n_dirty > 0)
			return;
	if (s->n_copies > 1)
		s->n_copies = 1;
}

int store_read(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, void *data, size_t size)
{
	const struct copy *copy = copy_find(s, kind, a, b);
	struct fetch fetch = { .data = data, .size = size };
	char buffer[KEY_MAX];

	if (copy) {
		if (copy->size != size)
			return -EUCLEAN;
		(void)memcpy(data, copy->data, size);
		return 0;
	}
	if (tdb_parse_record(s->tdb, make_key(buffer, kind, a, b), fetch_fixed, &fetch) < 0)
		return tdb_errno(s->tdb);
	return fetch.fits ? 0 : -EUCLEAN;
}

/* ---- sections ---- */

static int open_tdb(struct store *s, int hash_size, int open_flags, mode_t mode);

/* Opens the file anew: another has been put into its place, and may be longer or shorter than tdb believes. */
static int reopen(struct store *s)
{
	if (s->tdb)
		(void)tdb_close(s->tdb);
	s->size = 0;
	return open_tdb(s, 0, O_RDWR, 0);
}

/* A file that was cut short must not be looked at where it no longer is: that would end the process. */
static int check_size(struct store *s)
{
	struct stat st;
	int r = s->tdb ? 0 : reopen(s);

	if (r < 0)
		return r;
	if (fstat(tdb_fd(s->tdb), &st) < 0)
		return -errno;
	/* Opened anew, what is missing is found where it is needed; unless somebody has seen to it already. */
	r = st.st_size < s->size ? reopen(s) : 0;
	s->size = st.st_size;
	return r;
}

/* Whether the file under the lock is still that which was opened. */
static bool is_other(struct store *s)
{
	uint16_t generation = (uint16_t)(s->sequence >> STORE_GENERATION_SHIFT), before = s->generation;

	s->generation = generation;
	return before != 0 && before != generation;
}

int store_lock(struct store *s)
{
	int r = check_size(s);

	if (r < 0)
		return r;
	if (tdb_lockall(s->tdb) < 0)
		return tdb_errno(s->tdb);
	s->mode = LOCKED;
	s->n_copies = 0;
	r = intent_check(s);
	if (r < 0) {
		store_unlock(s);
	} else if (is_other(s)) {
		store_unlock(s);
		r = reopen(s);
		if (r == 0)
			r = store_lock(s);
	}
	return r;
}

void store_unlock(struct store *s)
{
	s->n_copies = 0;
	if (s->mode != LOCKED)
		return;
	s->mode = UNLOCKED;
	(void)tdb_unlockall(s->tdb); /* fails only if we do not hold it */
}

static int begin(struct store *s)
{
	int r = check_size(s);

	if (r < 0)
		return r;
	if (tdb_transaction_start(s->tdb) < 0)
		return tdb_errno(s->tdb);
	s->mode = TRANSACTION;
	s->n_copies = 0;
	return 0;
}

int store_begin(struct store *s)
{
	int r = begin(s);

	if (r < 0 || s->is_new)
		return r;
	r = intent_check(s);
	if (r < 0) {
		store_cancel(s);
	} else if (is_other(s)) {
		store_cancel(s);
		r = reopen(s);
		if (r == 0)
			r = store_begin(s);
	}
	return r;
}

int store_begin_mending(struct store *s, bool *ret_false)
{
	struct intent_head head;
	int r = store_begin(s);

	*ret_false = false;
	if (r != -EUCLEAN)
		return r;
	/* What was redone of it went with the transaction. */
	r = begin(s);
	if (r == 0)
		r = read_fixed(s->tdb, "applied", &s->sequence, sizeof(s->sequence));
	if (r == 0)
		r = read_fixed(s->tdb, "intent", s->intent, sizeof(s->intent));
	if (r < 0) {
		store_cancel(s);
		return r;
	}
	(void)memcpy(&head, s->intent, sizeof(head));
	*ret_false = head.sequence != s->sequence && is_whole(s->intent, &head);
	return 0;
}

int store_forget(struct store *s)
{
	struct intent_head head = { .sequence = s->sequence, .size = sizeof(head) };

	(void)memset(s->intent, 0, sizeof(s->intent));
	(void)memcpy(s->intent, &head, sizeof(head));
	return overwrite(s->tdb, name_key("intent"), s->intent, sizeof(s->intent));
}

int store_check(struct store *s)
{
	if (tdb_check(s->tdb, NULL, NULL) == 0)
		return 0;
	return tdb_error(s->tdb) == TDB_ERR_OOM ? -ENOMEM : -EUCLEAN;
}

uint16_t store_generation(const struct store *s)
{
	return s->generation;
}

int store_end(struct store *s)
{
	int r = store_flush(s);

	if (r < 0) {
		store_cancel(s);
		return r;
	}
	s->mode = UNLOCKED;
	return tdb_transaction_commit(s->tdb) < 0 ? tdb_errno(s->tdb) : 0;
}

void store_cancel(struct store *s)
{
	s->n_copies = 0;
	if (s->mode != TRANSACTION)
		return;
	s->mode = UNLOCKED;
	(void)tdb_transaction_cancel(s->tdb); /* fails only without a transaction */
}

int store_flush(struct store *s)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < s->n_copies; i++)
		if (s->copies[i].n_dirty > 0)
			r = copy_write(s, &s->copies[i]);
	s->n_copies = 0;
	return r;
}

static int replace(struct store *s, TDB_DATA key, const void *data, size_t size)
{
	TDB_DATA value = { .dptr = (unsigned char *)(uintptr_t)data, .dsize = size };

	return tdb_store(s->tdb, key, value, TDB_REPLACE) < 0 ? tdb_errno(s->tdb) : 0;
}

int store_put(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, const void *data, size_t size)
{
	char buffer[KEY_MAX];
	int r = store_flush(s);

	return r < 0 ? r : replace(s, make_key(buffer, kind, a, b), data, size);
}

int store_delete(struct store *s, enum store_kind kind, uint32_t a, uint32_t b)
{
	char buffer[KEY_MAX];
	int r = store_flush(s);

	if (r < 0)
		return r;
	if (tdb_delete(s->tdb, make_key(buffer, kind, a, b)) < 0 && tdb_error(s->tdb) != TDB_ERR_NOEXIST)
		return tdb_errno(s->tdb);
	return 0;
}

/* ---- the file ---- */

static int open_tdb(struct store *s, int hash_size, int open_flags, mode_t mode)
{
	errno = 0;
	s->tdb = tdb_open(s->path, hash_size, TDB_NOSYNC | TDB_DISALLOW_NESTING | TDB_INCOMPATIBLE_HASH,
			  open_flags | O_CLOEXEC, mode);
	if (s->tdb)
		return 0;
	return errno == EIO || errno == EINVAL || errno == 0 ? -EBADMSG : -errno;
}

static int store_new(const char *path, int hash_size, int open_flags, mode_t mode, struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->path = strdup(path);
	r = s->path ? open_tdb(s, hash_size, open_flags, mode) : -ENOMEM;
	if (r < 0) {
		free(s->path);
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int store_open(const char *path, struct store **ret)
{
	struct stat st;

	/* tdb would open a directory's or device's file, too, as far as it gets. */
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	return store_new(path, 0, O_RDWR, 0, ret);
}

/*
 * A new, empty file where there is room for a scoreboard. tdb would find out,
 * too, that there is none, but cannot tell it from other failures.
 */
static int make_room(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660), r;

	if (fd < 0)
		return -errno;
	r = -posix_fallocate(fd, 0, SMALLEST_FILE);
	if (r == 0 && ftruncate(fd, 0) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

int store_create(const char *path, uint16_t generation, struct store **ret)
{
	uint64_t applied = (uint64_t)generation << STORE_GENERATION_SHIFT;
	struct intent_head head = { .sequence = applied, .size = sizeof(head) };
	struct store *s;
	int r;

	r = make_room(path);
	if (r == 0)
		r = store_new(path, (int)STORE_HASH_SIZE, O_RDWR | O_CREAT, 0660, &s);
	if (r < 0)
		return r;
	(void)memcpy(s->intent, &head, sizeof(head));
	s->is_new = true;
	r = store_begin(s);
	if (r == 0)
		r = replace(s, name_key("intent"), s->intent, sizeof(s->intent));
	if (r == 0)
		r = replace(s, name_key("applied"), &applied, sizeof(applied));
	if (r == 0)
		r = store_end(s);
	s->is_new = false;
	if (r < 0) {
		(void)store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

int store_set_owner(struct store *s, mode_t mode, uid_t user, gid_t group)
{
	int fd = tdb_fd(s->tdb);

	if (fchmod(fd, mode) < 0 || (user != (uid_t)-1 && fchown(fd, user, group) < 0))
		return -errno;
	return 0;
}

int store_fd(const struct store *s)
{
	return s->tdb ? tdb_fd(s->tdb) : -1;
}

int store_stat(const struct store *s, struct stat *ret)
{
	return fstat(store_fd(s), ret) < 0 ? -errno : 0;
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	store_cancel(s);
	store_unlock(s);
	if (s->tdb)
		(void)tdb_close(s->tdb); /* nothing is buffered; a failed close(2) loses nothing */
	free(s->path);
	free(s);
	return NULL;
}
