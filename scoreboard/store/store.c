/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * store.c: records in tdb that stay whole when a process is killed at any
 * instruction.
 *
 * Locking. Every section takes the lock of lock.h, without a system call when
 * nobody else has it. tdb's own locks, fcntl(2), keep stock tools away, and are
 * taken as well where the structure of the file changes: in transactions, and
 * in the section after a process died, which may have to undo a transaction. Elsewhere
 * tdb is told not to lock (TDB_NOLOCK, set and cleared around each section), and
 * a stock tool may read a record in the moment that it changes. tdb_lockall()
 * in every section was the way before: six system calls a section, and with
 * several processes in it 29, as tdb halves the range until it gets one. tdb's
 * own mutexes are allowed only with TDB_CLEAR_IF_FIRST, which empties the file
 * at every quiet moment.
 *
 * The intent. A section's changes are first written as one record, "intent":
 * a sequence number, a checksum, and a list of patches. Then they are applied,
 * record by record; then the sequence number is written to the record
 * "applied". The next process that takes the lock compares the two numbers:
 *   - A process was killed while it wrote the intent: the checksum is wrong, and
 *     the records are untouched. The change has not happened.
 *   - A process was killed while it applied the intent: the checksum is right
 *     and the numbers differ. All patches are written again. That is harmless
 *     however far the dead process came, since a patch is plain bytes and no
 *     process wrote since.
 * So no single store needs to be atomic, and no record needs a checksum of its
 * own.
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
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

#include <tdb.h>

#include "intent.h"
#include "lock.h"
#include "system/fault.h"
#include "system/folder.h"
#include "version.h"

/* STORE_HASH_SIZE, the chains: two records each at 10,000 nodes, 32 kB when empty. */
#define COPIES_MAX 48
#define RANGES_MAX 8
#define RECORD_MAX 4096   /* larger than any; a record that is larger is damaged */
#define ARENA_SIZE (COPIES_MAX * 2304u)
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

struct store {
	struct tdb_context *tdb;   /* NULL: the file could not be opened anew */
	struct folder folder;       /* of the file, open: its path may lead elsewhere by now, or nowhere after chroot(2) */
	struct folder_file file;    /* a new file, until it has its name */
	enum { UNLOCKED, LOCKED, TRANSACTION } mode;
	uint64_t sequence;   /* of the change applied last; valid while locked */
	struct lock *lock;   /* NULL: the file is being made, and no other process knows of it */
	bool has_all;        /* tdb believes that it has locked all */
	unsigned touched, most_touched; /* records, in this section or transaction and in the largest */
	bool is_stale;       /* the file must be opened anew: it was cut short */
	bool is_gone;        /* another file is in its place */
	bool is_adopting;    /* the file counts, whatever its life */
	uint16_t life;       /* of the scoreboard as it was last seen; 0: not known yet */
	bool is_new;         /* the file is being made, and has no intent yet */
	bool is_salvaged;    /* the store is in memory, and may lack records */
	void (*watch)(enum store_kind kind, uint32_t a, uint32_t b, void *arg);
	void *watch_arg;
	struct copy copies[COPIES_MAX];
	unsigned n_copies;
	struct intent intent;
	/* The copies' bytes, one behind the other: few pages, which is what a process made by fork(2) pays for. */
	_Alignas(16) unsigned char arena[ARENA_SIZE];
};

static TDB_DATA make_key(char buffer[static KEY_MAX], enum store_kind kind, uint32_t a, uint32_t b)
{
	return (TDB_DATA){ .dptr = (unsigned char *)buffer, .dsize = key_write(buffer, kind, a, b) };
}

static TDB_DATA name_key(const char *name)
{
	return (TDB_DATA){ .dptr = (unsigned char *)(uintptr_t)name, .dsize = strlen(name) };
}

/* Whether the file system is too full for the file to grow. tdb does not tell this apart from other errors. */
static bool is_full(struct tdb_context *tdb)
{
	struct statvfs vfs;

	return errno == ENOSPC || errno == EDQUOT ||
	       (fstatvfs(tdb_fd(tdb), &vfs) == 0 && vfs.f_bavail * vfs.f_frsize < SMALLEST_FILE);
}

/* The result of an access to the file. Nothing that was read of a file is true if the file was cut short meanwhile. */
static int believe(int r)
{
	return fault_seen() ? -EUCLEAN : r;
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

	return believe(tdb_store(tdb, key, value, TDB_MODIFY) < 0 ? tdb_errno(tdb) : 0);
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
		return believe(must_exist(tdb_errno(tdb)));
	return believe(fetch.fits ? 0 : -EUCLEAN);
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

	s->touched++;
	return overwrite(s->tdb, make_key(buffer, copy->kind, copy->a, copy->b), copy->data, copy->size);
}

static int redo_one(const struct patch *patch, const unsigned char *bytes, void *arg)
{
	struct store *s = arg;
	size_t size;
	void *data;
	int r;

	if (patch->kind >= STORE_KIND_MAX_)
		return -EUCLEAN;
	r = store_get(s, (enum store_kind)patch->kind, patch->a, patch->b, 0, &data, &size);
	if (r == -E2BIG || (r == 0 && (patch->offset > size || patch->size > size - patch->offset)))
		r = -EUCLEAN;
	if (r < 0)
		return r == -EUCLEAN && s->is_salvaged ? 0 : r;
	(void)memcpy((unsigned char *)data + patch->offset, bytes, patch->size);
	return copy_write(s, copy_find(s, (enum store_kind)patch->kind, patch->a, patch->b));
}

/* Finishes the change that a killed process had begun; see the head of this file. */
static int redo(struct store *s)
{
	uint64_t sequence = s->intent.sequence;
	int r = intent_each(&s->intent, redo_one, s);

	s->n_copies = 0;
	if (r == 0)
		r = overwrite(s->tdb, name_key("applied"), &sequence, sizeof(sequence));
	if (r == 0)
		s->sequence = sequence;
	return r;
}

/* Normally the intent has been applied, and only its head counts. */
static int fetch_intent(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct store *s = arg;

	(void)key;
	if (value.dsize != sizeof(s->intent))
		return -EUCLEAN;
	(void)memcpy(&s->intent, value.dptr, INTENT_HEAD_SIZE);
	if (s->intent.sequence != s->sequence)
		(void)memcpy(&s->intent, value.dptr, sizeof(s->intent));
	return 0;
}

/* Called at the start of every section, with the lock held. */
static int finish_change(struct store *s)
{
	int r = read_fixed(s->tdb, "applied", &s->sequence, sizeof(s->sequence));

	if (r < 0)
		return r;
	r = tdb_parse_record(s->tdb, name_key("intent"), fetch_intent, s);
	if (r < 0)
		return believe(r == -1 ? must_exist(tdb_errno(s->tdb)) : r);
	if (s->intent.sequence == s->sequence || !intent_is_whole(&s->intent))
		return 0;
	return redo(s);
}

/* Collects the touched ranges into s->intent. 1 if there is anything, 0 if not, -E2BIG. */
static int plan(struct store *s)
{
	int r = 0;

	intent_begin(&s->intent, s->sequence + 1);
	for (unsigned i = 0; i < s->n_copies; i++) {
		const struct copy *copy = &s->copies[i];

		for (unsigned j = 0; r == 0 && j < copy->n_dirty; j++)
			r = intent_add(&s->intent, &(struct patch){
				.kind = copy->kind, .a = copy->a, .b = copy->b,
				.offset = copy->dirty[j].offset, .size = copy->dirty[j].size,
			}, copy->data + copy->dirty[j].offset);
	}
	if (r < 0 || s->intent.n_patches == 0)
		return r;
	intent_seal(&s->intent);
	return 1;
}

int store_commit(struct store *s)
{
	uint64_t sequence = s->sequence + 1;
	int r;

	if (s->mode == TRANSACTION)
		return store_flush(s);
	r = plan(s);
	if (r <= 0)
		return r;
	r = overwrite(s->tdb, name_key("intent"), &s->intent, sizeof(s->intent));
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

int store_find(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, size_t size,
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
		s->touched++;
		r = tdb_parse_record(s->tdb, make_key(buffer, kind, a, b), copy_fill, s);
		r = believe(r == -1 ? tdb_errno(s->tdb) : r);
		if (r < 0)
			return r;
		s->n_copies++;
	}
	if (size && copy->size != size)
		return -EUCLEAN;
	*ret = copy->data;
	if (ret_size)
		*ret_size = copy->size;
	return 0;
}

int store_get(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, size_t size,
	      void **ret, size_t *ret_size)
{
	return must_exist(store_find(s, kind, a, b, size, ret, ret_size));
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
	abort(); /* p is in no copy: a bug, which must not write a half-true scoreboard */
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
	s->touched++;
	if (tdb_parse_record(s->tdb, make_key(buffer, kind, a, b), fetch_fixed, &fetch) < 0)
		return believe(must_exist(tdb_errno(s->tdb)));
	return believe(fetch.fits ? 0 : -EUCLEAN);
}

/* ---- sections ---- */

static int open_tdb(struct store *s);

int store_has_name(const struct store *s)
{
	struct stat mine, there;

	if (!s->tdb || fstat(tdb_fd(s->tdb), &mine) < 0)
		return -EBADF;
	if (fstatat(s->folder.fd, s->folder.name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return there.st_dev == mine.st_dev && there.st_ino == mine.st_ino;
}

static int note_version(TDB_DATA key, TDB_DATA data, void *arg)
{
	bool *other = arg;

	(void)key;
	*other = version_check(data.dptr, data.dsize) == -EPROTO;
	return 0;
}

/* Whether the file is a scoreboard of another version: a later version upgrades it while this process has it open. What is
 * damaged is seen by others. */
static bool is_of_other_version(struct store *s)
{
	char name[KEY_MAX];
	bool other = false;

	(void)tdb_parse_record(s->tdb, make_key(name, STORE_VERSION, 0, 0), note_version, &other);
	return other;
}

/*
 * If another file has the name, that file must be found before this one is closed: as long as a process has this file
 * open, its contents are not lost. A file that was cut short must be closed first, or tdb takes it for open already.
 */
int store_reopen(struct store *s)
{
	struct tdb_context *old = s->tdb;
	struct lock *old_lock = s->lock;
	bool gone = s->is_gone || store_has_name(s) != 1;
	int r;

	if (old && !gone) {
		(void)tdb_close(old);
		old = NULL;
		old_lock = lock_close(old_lock);
	}
	s->lock = NULL;
	s->is_stale = false;
	r = open_tdb(s);
	if (r == -ENOENT && old) {
		s->tdb = old;
		s->lock = old_lock;
		return -EIDRM;
	}
	s->is_gone = false;
	if (old)
		(void)tdb_close(old);
	(void)lock_close(old_lock);
	if (r == 0 && is_of_other_version(s)) {
		(void)tdb_close(s->tdb);
		s->lock = lock_close(s->lock);
		s->tdb = NULL;
		r = -EPROTO;
	}
	return r;
}

#define REPLACED_MAX 8u /* the file may be replaced so often while this process opens it */

/*
 * Takes the lock of the file that is the scoreboard now. 0; 1: the process that
 * had it before died within its section; or -errno. The dead process may have
 * given the file's name to another file, and have died before its lock_retire().
 */
static int take(struct store *s)
{
	for (unsigned i = 0; i < REPLACED_MAX; i++) {
		int r = s->tdb && !s->is_stale && !s->is_gone ? 0 : store_reopen(s);

		if (r == -ESTALE)
			continue;
		if (r < 0)
			return r;
		r = s->lock ? lock_take(s->lock) : 1; /* no other process has a draft: tdb locks it as it likes */
		if (r == 1 && s->lock && store_has_name(s) == 0) {
			lock_retire(s->lock);
			(void)lock_leave(s->lock);
			r = -ESTALE;
		}
		if (r != -ESTALE)
			return r;
		s->is_gone = true;
	}
	return -EUCLEAN;
}

/*
 * Whether the contents are those of the scoreboard that this process had open,
 * or that the last process that used the lock's page had open. 0 or -EREMCHG.
 */
static int check_life(struct store *s)
{
	uint16_t life = (uint16_t)(s->sequence >> STORE_LIFE_SHIFT), known;

	if (!s->lock || s->is_adopting)
		return 0;
	known = lock_life(s->lock);
	if ((s->life != 0 && s->life != life) || (known != 0 && known != life))
		return -EREMCHG;
	if (known == 0)
		lock_set_life(s->lock, life);
	s->life = life;
	return 0;
}

uint16_t store_life(const struct store *s)
{
	return s->life;
}

bool store_is_adopted(const struct store *s)
{
	return s->lock && lock_life(s->lock) == (uint16_t)(s->sequence >> STORE_LIFE_SHIFT);
}

void store_adopting(struct store *s, bool on)
{
	s->is_adopting = on;
}

void store_adopt(struct store *s)
{
	s->life = (uint16_t)(s->sequence >> STORE_LIFE_SHIFT);
	if (s->lock)
		lock_set_life(s->lock, s->life);
}

static void leave(struct store *s)
{
	if (s->lock && lock_leave(s->lock))
		s->is_stale = true;
}

/*
 * tdb believes that it has locked everything, so that it locks no record by
 * itself. With in_truth it does lock everything: after a process died, a stock
 * tool may be finishing what that process left, too.
 */
static int lock_tdb(struct store *s, bool in_truth)
{
	if (!in_truth)
		tdb_add_flags(s->tdb, TDB_NOLOCK);
	s->mode = LOCKED;
	if (tdb_lockall(s->tdb) < 0)
		return tdb_errno(s->tdb);
	s->has_all = true;
	return s->lock && !lock_assure(s->lock) ? -ESTALE : 0;
}

int store_lock(struct store *s)
{
	int r = take(s);

	if (r < 0)
		return r;
	s->n_copies = 0;
	r = lock_tdb(s, r == 1);
	if (r == -ESTALE) { /* another process has taken the lock over: this process takes it again, after that one */
		store_unlock(s);
		return store_lock(s);
	}
	if (r == 0)
		r = finish_change(s);
	if (r == 0)
		r = check_life(s);
	if (r < 0)
		store_unlock(s);
	return r;
}

static void count_section(struct store *s)
{
	if (s->touched > s->most_touched)
		s->most_touched = s->touched;
	s->touched = 0;
}

void store_unlock(struct store *s)
{
	s->n_copies = 0;
	if (s->mode != LOCKED)
		return;
	s->mode = UNLOCKED;
	count_section(s);
	if (s->has_all)
		(void)tdb_unlockall(s->tdb); /* fails only if this process does not hold the lock */
	s->has_all = false;
	tdb_remove_flags(s->tdb, TDB_NOLOCK);
	leave(s);
}

static int begin(struct store *s)
{
	int r = take(s);

	if (r < 0)
		return r;
	if (tdb_transaction_start(s->tdb) < 0) {
		r = tdb_errno(s->tdb);
		leave(s);
		return r;
	}
	s->mode = TRANSACTION;
	s->n_copies = 0;
	if (s->lock && !lock_assure(s->lock)) {
		store_cancel(s);
		return begin(s);
	}
	return 0;
}

int store_begin(struct store *s)
{
	int r = begin(s);

	if (r < 0 || s->is_new)
		return r;
	r = finish_change(s);
	if (r == 0)
		r = check_life(s);
	if (r < 0)
		store_cancel(s);
	return r;
}

int store_begin_repair(struct store *s, bool *ret_false)
{
	int r = store_begin(s);

	*ret_false = false;
	if (r != -EUCLEAN)
		return r;
	/* What store_begin() redid of the change is gone with its transaction. */
	r = begin(s);
	if (r == 0)
		r = read_fixed(s->tdb, "applied", &s->sequence, sizeof(s->sequence));
	if (r == 0)
		r = read_fixed(s->tdb, "intent", &s->intent, sizeof(s->intent));
	if (r < 0) {
		store_cancel(s);
		return r;
	}
	*ret_false = s->intent.sequence != s->sequence && intent_is_whole(&s->intent);
	return 0;
}

int store_forget(struct store *s)
{
	(void)memset(&s->intent, 0, sizeof(s->intent));
	intent_begin(&s->intent, s->sequence);
	return overwrite(s->tdb, name_key("intent"), &s->intent, sizeof(s->intent));
}

int store_check(struct store *s)
{
	if (tdb_check(s->tdb, NULL, NULL) == 0)
		return believe(0);
	return tdb_error(s->tdb) == TDB_ERR_OOM ? -ENOMEM : -EUCLEAN;
}

int store_end(struct store *s)
{
	int r = store_flush(s);

	if (r < 0) {
		store_cancel(s);
		return r;
	}
	s->mode = UNLOCKED;
	count_section(s);
	r = believe(tdb_transaction_commit(s->tdb) < 0 ? tdb_errno(s->tdb) : 0);
	leave(s);
	return r;
}

void store_cancel(struct store *s)
{
	s->n_copies = 0;
	if (s->mode != TRANSACTION)
		return;
	s->mode = UNLOCKED;
	count_section(s);
	(void)tdb_transaction_cancel(s->tdb); /* fails only without a transaction */
	leave(s);
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

static int compare_fixed(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct fetch *fetch = arg;

	(void)key;
	fetch->fits = value.dsize == fetch->size && memcmp(fetch->data, value.dptr, value.dsize) == 0;
	return 0;
}

static int replace(struct store *s, TDB_DATA key, const void *data, size_t size)
{
	TDB_DATA value = { .dptr = (unsigned char *)(uintptr_t)data, .dsize = size };

	return believe(tdb_store(s->tdb, key, value, TDB_REPLACE) < 0 ? tdb_errno(s->tdb) : 0);
}

int store_put(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, const void *data, size_t size)
{
	struct fetch fetch = { .data = (void *)(uintptr_t)data, .size = size };
	char buffer[KEY_MAX];
	TDB_DATA key = make_key(buffer, kind, a, b);
	int r = store_flush(s);

	if (r < 0)
		return r;
	if (tdb_parse_record(s->tdb, key, compare_fixed, &fetch) == 0 && fetch.fits)
		return believe(0);
	s->touched++;
	if (s->watch)
		s->watch(kind, a, b, s->watch_arg);
	return replace(s, key, data, size);
}

int store_delete(struct store *s, enum store_kind kind, uint32_t a, uint32_t b)
{
	char buffer[KEY_MAX];
	int r = store_flush(s);

	if (r < 0)
		return r;
	if (tdb_delete(s->tdb, make_key(buffer, kind, a, b)) < 0)
		return tdb_error(s->tdb) == TDB_ERR_NOEXIST ? 0 : tdb_errno(s->tdb);
	s->touched++;
	if (s->watch)
		s->watch(kind, a, b, s->watch_arg);
	return 0;
}

void store_watch(struct store *s, void (*fn)(enum store_kind kind, uint32_t a, uint32_t b, void *arg), void *arg)
{
	s->watch = fn;
	s->watch_arg = arg;
}

struct walk {
	enum store_kind kind;
	int (*fn)(uint32_t a, uint32_t b, void *arg);
	void *arg;
	int r;
};

static int visit(struct tdb_context *tdb, TDB_DATA key, TDB_DATA value, void *arg)
{
	struct walk *walk = arg;
	enum store_kind kind;
	uint32_t a, b;

	(void)tdb;
	(void)value;
	if (key_read((const char *)key.dptr, key.dsize, &kind, &a, &b) && kind == walk->kind)
		walk->r = walk->fn(a, b, walk->arg);
	return walk->r;
}

int store_each(struct store *s, enum store_kind kind, int (*fn)(uint32_t a, uint32_t b, void *arg), void *arg)
{
	struct walk walk = { .kind = kind, .fn = fn, .arg = arg };

	return tdb_traverse_read(s->tdb, visit, &walk) < 0 ? tdb_errno(s->tdb) : walk.r;
}

/* ---- in memory ---- */

int store_create_in_memory(struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->tdb = tdb_open(NULL, (int)STORE_HASH_SIZE, TDB_INTERNAL, O_RDWR, 0);
	if (!s->tdb) {
		free(s);
		return -ENOMEM;
	}
	s->folder.fd = s->file.fd = -1;
	s->is_salvaged = true;
	*ret = s;
	return 0;
}

int store_add(struct store *s, const void *name, size_t length, const void *data, size_t size)
{
	TDB_DATA key = { .dptr = (unsigned char *)(uintptr_t)name, .dsize = length };
	TDB_DATA value = { .dptr = (unsigned char *)(uintptr_t)data, .dsize = size };

	if (tdb_store(s->tdb, key, value, TDB_INSERT) == 0 || tdb_error(s->tdb) == TDB_ERR_EXISTS)
		return 0;
	return -ENOMEM;
}

int store_finish(struct store *s)
{
	int r = finish_change(s);

	s->life = (uint16_t)(s->sequence >> STORE_LIFE_SHIFT);
	return r == -EUCLEAN ? 0 : r;
}

/* ---- the file ---- */

/*
 * tdb opens by a path. The descriptor's path under /proc means this very file, whatever file has its name by now.
 * Without /proc the path is the name in the folder. tdb has opened the right file if the two files are the same
 * afterwards. A wrong file takes no harm: tdb writes to no file that is not a tdb file, and root is the folder's owner
 * here.
 */
static struct tdb_context *open_found(struct store *s, int fd, const char *name, int hash_size, int open_flags)
{
	const int tdb_flags = TDB_NOSYNC | TDB_DISALLOW_NESTING | TDB_INCOMPATIBLE_HASH;
	struct tdb_context *tdb;
	struct stat found, opened;
	char path[32];
	int here = -1;

	if (folder_path_of(fd, path)) {
		name = path;
	} else {
		here = open(".", O_PATH | O_CLOEXEC);
		if (here < 0 || fchdir(s->folder.fd) < 0) {
			if (here >= 0)
				(void)close(here);
			return NULL;
		}
	}
	errno = 0;
	tdb = tdb_open(name, hash_size, tdb_flags, open_flags | O_NOFOLLOW * (here >= 0) | O_CLOEXEC, 0600);
	if (here >= 0) {
		int failed = fchdir(here);

		(void)close(here);
		if (failed && tdb) {
			(void)tdb_close(tdb);
			return NULL;
		}
	}
	if (tdb && (fstat(fd, &found) < 0 || fstat(tdb_fd(tdb), &opened) < 0 || found.st_dev != opened.st_dev ||
		    found.st_ino != opened.st_ino)) {
		(void)tdb_close(tdb);
		tdb = NULL;
		errno = ESTALE;
	}
	return tdb;
}

static int open_error(void)
{
	return errno == EIO || errno == EINVAL || errno == 0 ? -EBADMSG : -errno;
}

/* Opens the file that has the scoreboard's name now, if it can be believed. */
static int open_tdb(struct store *s)
{
	struct folder_stay stay;
	struct stat st;
	int fd = -1, r = folder_enter(&s->folder, &stay);

	s->tdb = NULL;
	if (r < 0)
		return r;
	fault_begin();
	r = folder_find(&s->folder, s->folder.name, &fd, &st);
	if (r == 0)
		r = folder_trusts(&s->folder, &st);
	if (r == 0) {
		s->tdb = open_found(s, fd, s->folder.name, 0, O_RDWR);
		r = s->tdb ? 0 : open_error();
	}
	if (fault_end() && r == 0)
		r = -EBADMSG;
	folder_leave(&stay);
	/* O_PATH: closing it gives up none of the locks that this process has on the file. */
	if (fd >= 0)
		(void)close(fd);
	if (r == 0 && tdb_hash_size(s->tdb) != (int)STORE_HASH_SIZE)
		r = -EBADMSG; /* another program's file, or a damaged one: nothing is written into it */
	if (r == 0)
		r = lock_open(&s->folder, tdb_fd(s->tdb), &s->lock);
	if (r < 0 && s->tdb) {
		(void)tdb_close(s->tdb);
		s->tdb = NULL;
	}
	return r;
}

static struct store *store_new(void)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s)
		s->folder.fd = s->file.fd = -1;
	return s;
}

int store_open(const char *path, struct store **ret)
{
	struct store *s = store_new();
	int r = s ? folder_open(path, &s->folder) : -ENOMEM;

	if (r == 0)
		r = open_tdb(s);
	if (r < 0)
		(void)store_close(s);
	else
		*ret = s;
	return r;
}

const struct folder *store_folder(const struct store *s)
{
	return &s->folder;
}

/*
 * Makes a new, empty file where there is room for a scoreboard. tdb, too, fails
 * where there is no room, but cannot tell that from other failures.
 */
static int make_room(struct store *s)
{
	int r = folder_make(&s->folder, &s->file);

	if (r == 0)
		r = -posix_fallocate(s->file.fd, 0, SMALLEST_FILE);
	if (r == 0 && ftruncate(s->file.fd, 0) < 0)
		r = -errno;
	return r;
}

static int create_tdb(struct store *s)
{
	struct folder_stay stay;
	int r = folder_enter(&s->folder, &stay);

	if (r < 0)
		return r;
	r = make_room(s);
	if (r == 0) {
		s->tdb = open_found(s, s->file.fd, s->file.name, (int)STORE_HASH_SIZE, O_RDWR | O_CREAT);
		r = s->tdb ? 0 : open_error();
	}
	folder_leave(&stay);
	return r;
}

/* The records that every section needs. */
static int format(struct store *s, uint64_t applied)
{
	int r;

	intent_begin(&s->intent, applied);
	s->is_new = true;
	r = store_begin(s);
	if (r == 0)
		r = replace(s, name_key("intent"), &s->intent, sizeof(s->intent));
	if (r == 0)
		r = replace(s, name_key("applied"), &applied, sizeof(applied));
	if (r == 0)
		r = store_end(s);
	s->is_new = false;
	return r;
}

static uint16_t random_life(void)
{
	uint16_t life = 0;

	while (life == 0)
		if (getrandom(&life, sizeof(life), 0) < 0)
			life = (uint16_t)getpid();
	return life;
}

int store_create(const struct folder *folder, uint16_t life, struct store **ret)
{
	uint64_t applied = (uint64_t)(life ? life : random_life()) << STORE_LIFE_SHIFT;
	struct store *s = store_new();
	int r = s ? folder_copy(folder, &s->folder) : -ENOMEM;

	if (r == 0)
		r = create_tdb(s);
	if (r == 0)
		r = format(s, applied);
	if (r < 0)
		(void)store_close(s);
	else
		*ret = s;
	return r;
}

int store_publish(struct store *s, bool instead)
{
	struct folder_stay stay;
	int r = folder_enter(&s->folder, &stay);

	if (r < 0)
		return r;
	r = (instead ? folder_replace : folder_publish)(&s->folder, &s->file, s->folder.name);
	folder_leave(&stay);
	return r;
}

int store_set_owner(struct store *s, mode_t mode, uid_t user, gid_t group)
{
	int fd = tdb_fd(s->tdb);
	struct stat st;
	bool changes;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* chown only where something changes: a service may not be allowed to make the call at all. */
	changes = (user != (uid_t)-1 && user != st.st_uid) || (group != (gid_t)-1 && group != st.st_gid);

	if (fchmod(fd, mode) < 0 || (changes && fchown(fd, user, group) < 0))
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

void store_look(struct store *s)
{
	if (s->lock)
		lock_look(s->lock);
}

unsigned store_most_touched(const struct store *s)
{
	return s->most_touched;
}

void store_after_fork(struct store *s, const struct holder *self)
{
	if (s->lock)
		lock_after_fork(s->lock, self);
}

/* Removes a new file that got no name. */
static void drop_file(struct store *s)
{
	struct folder_stay stay;

	if (s->file.fd < 0)
		return;
	if (folder_enter(&s->folder, &stay) == 0) {
		folder_file_close(&s->folder, &s->file);
		folder_leave(&stay);
	}
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	store_cancel(s);
	store_unlock(s);
	if (s->tdb)
		(void)tdb_close(s->tdb); /* nothing is buffered; a failed close(2) loses nothing */
	drop_file(s);
	(void)lock_close(s->lock);
	folder_close(&s->folder);
	free(s);
	return NULL;
}
