/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * store.c: records in tdb that stay whole when a process is killed at any
 * instruction.
 *
 * Locking. Every section takes the lock of lock.h, without a system call when
 * no other process has it. tdb's own locks, fcntl(2), keep stock tools away, and are
 * taken as well where the structure of the file changes: in transactions, and
 * in the section after a process died, which may have to undo a transaction. Elsewhere
 * tdb is told not to lock (TDB_NOLOCK, set and cleared around each section), and
 * a stock tool may read a record in the moment that it changes. tdb_lockall()
 * in truth costs six system calls a section, and 29 where several processes want
 * it, as tdb halves the range until it gets a lock. tdb's
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
 * and never touches its freelist. It goes to the record's place in the mapped
 * file, see place.h, or through tdb where tdb cannot map the file. Anything else
 * happens in a tdb transaction, which has a recovery of its own. TDB_NOSYNC: the
 * file need not outlive the machine, only processes, so fsync(2) would buy
 * nothing.
 *
 * After fork(2) parent and child go on with the same context. tdb's locks are
 * fcntl(2) locks, which belong to a process, and it has no file offset.
 */

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <tdb.h>

#include "copies.h"
#include "file.h"
#include "intent.h"
#include "lock.h"
#include "page.h"
#include "place.h"
#include "tools.h"
#include "system/spare.h"

#define TOOLS_MOST_USEC 100000u /* a stock tool mostly has its locks for less; a listener's clients wait meanwhile */

/* A record's key, and its hash: a process goes back to the same records again and again. */
struct known_key {
	uint32_t a, b, hash;
	uint32_t length;     /* of the name; 0: no key is known here */
	char name[KEY_MAX];
};

struct store {
	struct file file;
	enum { UNLOCKED, LOCKED, TRANSACTION } mode;
	uint64_t sequence;   /* of the change applied last; valid while locked */
	unsigned char *intent_place, *applied_place; /* as a copy's place */
	bool has_all;        /* tdb believes that it has locked all */
	bool told_of_tool;   /* a process with tdb's locks was told of, and no transaction has been begun since */
	unsigned touched, most_touched; /* records, in this section or transaction and in the largest */
	bool is_adopting;    /* the file counts, whatever its life */
	uint16_t life;       /* of the scoreboard as it was last seen; 0: not known yet */
	bool is_new;         /* the file is being made, and has no intent yet */
	bool is_salvaged;    /* the store is in memory, and may lack records */
	void (*watch)(enum store_kind kind, uint32_t a, uint32_t b, void *arg);
	void *watch_arg;
	struct known_key known[STORE_KIND_MAX_][2]; /* the last of each kind, with an even and an odd first number */
	/* From here on nothing has a meaning while no section is open: see store_spare(). */
	struct intent intent;
	struct copies copies;
};

static TDB_DATA make_key(char buffer[static KEY_MAX], enum store_kind kind, uint32_t a, uint32_t b)
{
	return (TDB_DATA){ .dptr = (unsigned char *)buffer, .dsize = key_write(buffer, kind, a, b) };
}

static TDB_DATA name_key(const char *name)
{
	return (TDB_DATA){ .dptr = (unsigned char *)(uintptr_t)name, .dsize = strlen(name) };
}

/* The key of a record, and *ret_hash. It is valid until the next call. */
static TDB_DATA known_key(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, uint32_t *ret_hash)
{
	struct known_key *known = &s->known[kind][a % 2]; /* a page of the index lies one level below the next */
	TDB_DATA key = { .dptr = (unsigned char *)known->name, .dsize = known->length };

	if (known->length == 0 || known->a != a || known->b != b) {
		key = make_key(known->name, kind, a, b);
		known->a = a;
		known->b = b;
		known->length = (uint32_t)key.dsize;
		known->hash = tdb_jenkins_hash(&key);
	}
	*ret_hash = known->hash;
	return key;
}

/* Writes a record through tdb: with TDB_MODIFY a record that is there, at its size; with TDB_REPLACE any. */
static int put(struct store *s, TDB_DATA key, const void *data, size_t size, int flag)
{
	TDB_DATA value = { .dptr = (unsigned char *)(uintptr_t)data, .dsize = size };

	return file_believe(tdb_store(s->file.tdb, key, value, flag) < 0 ? file_error(s->file.tdb) : 0);
}

static int put_applied(struct store *s, uint64_t sequence)
{
	return put(s, name_key("applied"), &sequence, sizeof(sequence), TDB_MODIFY);
}

static int put_intent(struct store *s)
{
	return put(s, name_key("intent"), &s->intent, sizeof(s->intent), TDB_MODIFY);
}

/* ---- the intent ---- */

/* Has a record shown to fn, which returns 0 or -errno. In a section without asking tdb, if possible. 0, -ENOENT, what fn
 * returned, or -errno. */
static int show(struct store *s, TDB_DATA key, uint32_t hash, int (*fn)(TDB_DATA key, TDB_DATA value, void *arg),
		void *arg)
{
	TDB_DATA value;
	int r;

	if (s->mode == LOCKED && file_find(&s->file, key, hash, &value))
		return file_believe(fn(key, value, arg));
	r = tdb_parse_record(s->file.tdb, key, fn, arg);
	return file_believe(r == -1 ? file_error(s->file.tdb) : r);
}

static int copy_write(struct store *s, const struct copy *copy)
{
	char buffer[KEY_MAX];

	s->touched++;
	return put(s, make_key(buffer, copy->kind, copy->a, copy->b), copy->data, copy->size, TDB_MODIFY);
}

/* Writes all copies that have changed, each as a whole. */
static int copies_write(struct store *s)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < s->copies.n; i++)
		if (s->copies.items[i].n_dirty > 0)
			r = copy_write(s, &s->copies.items[i]);
	return r;
}

static int redo_one(const struct patch *patch, const unsigned char *bytes, void *arg)
{
	struct store *s = arg;
	size_t size;
	void *data;
	int r;

	if (patch->kind >= STORE_KIND_MAX_)
		return -EUCLEAN;
	r = must_exist(store_find_any(s, (enum store_kind)patch->kind, patch->a, patch->b, &data, &size));
	if (r == -E2BIG || (r == 0 && (patch->offset > size || patch->size > size - patch->offset)))
		r = -EUCLEAN;
	if (r < 0)
		return r == -EUCLEAN && s->is_salvaged ? 0 : r;
	(void)memcpy((unsigned char *)data + patch->offset, bytes, patch->size);
	return copy_write(s, copies_find(&s->copies, (enum store_kind)patch->kind, patch->a, patch->b));
}

/* Finishes the change that a killed process had begun; see the head of this file. */
static int redo(struct store *s)
{
	int r = intent_each(&s->intent, redo_one, s) ?: put_applied(s, s->intent.sequence);

	s->copies.n = 0;
	if (r == 0)
		s->sequence = s->intent.sequence;
	return r;
}

static int fetch_applied(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct store *s = arg;

	(void)key;
	if (value.dsize != sizeof(s->sequence))
		return -EUCLEAN;
	s->applied_place = value.dptr;
	(void)memcpy(&s->sequence, value.dptr, sizeof(s->sequence));
	return 0;
}

/* Normally the intent has been applied, and only its head counts. */
static int fetch_intent(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct store *s = arg;

	(void)key;
	if (value.dsize != sizeof(s->intent))
		return -EUCLEAN;
	s->intent_place = value.dptr;
	(void)memcpy(&s->intent, value.dptr, INTENT_HEAD_SIZE);
	if (s->intent.sequence != s->sequence)
		(void)memcpy(&s->intent, value.dptr, sizeof(s->intent));
	return 0;
}

/* Reads which change was applied last, and which was begun last. */
static int read_change(struct store *s)
{
	TDB_DATA intent = name_key("intent");
	int r = tdb_parse_record(s->file.tdb, name_key("applied"), fetch_applied, s);

	r = file_believe(r == -1 ? must_exist(file_error(s->file.tdb)) : r);
	if (r < 0)
		return r;
	file_note_place(&s->file, s->applied_place);
	return must_exist(show(s, intent, tdb_jenkins_hash(&intent), fetch_intent, s));
}

/* Whether a process was killed while it applied the intent. */
static bool is_half_applied(const struct store *s)
{
	return s->intent.sequence != s->sequence && intent_is_whole(&s->intent);
}

/* Called at the start of every section, with the lock held. */
static int finish_change(struct store *s)
{
	int r = read_change(s);

	return r == 0 && is_half_applied(s) ? redo(s) : r;
}

/* Collects the touched ranges into s->intent. 1 if there is anything, 0 if not, -E2BIG. */
static int plan(struct store *s)
{
	int r;

	intent_begin(&s->intent, s->sequence + 1);
	r = copies_plan(&s->copies, &s->intent);
	if (r < 0 || s->intent.n_patches == 0)
		return r;
	intent_seal(&s->intent);
	return 1;
}

/* Writes the change through tdb. */
static int write_by_key(struct store *s, uint64_t sequence)
{
	return put_intent(s) ?: copies_write(s) ?: put_applied(s, sequence);
}

/* Writes the change to where its records are. */
static int write_in_place(struct store *s, uint64_t sequence)
{
	place_write(s->intent_place, &s->intent, s->intent.size);
	s->touched += copies_write_in_place(&s->copies);
	place_write(s->applied_place, &sequence, sizeof(sequence));
	return file_believe(0);
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
	r = (file_has_places(&s->file, "applied") ? write_in_place : write_by_key)(s, sequence);
	if (r < 0)
		return r;
	s->sequence = sequence;
	if (s->file.lock)
		page_set_applied(lock_page(s->file.lock), sequence);
	copies_clean(&s->copies);
	return 0;
}

/* ---- copies ---- */

static int copy_fill(TDB_DATA key, TDB_DATA value, void *arg)
{
	(void)key;
	return copies_fill(arg, value.dptr, value.dsize);
}

/* Makes a copy of a record that has none. 0 and *ret, -ENOENT, or -errno. */
static int copy_make(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, struct copy **ret)
{
	struct copy *copy = copies_begin(&s->copies, kind, a, b);
	uint32_t hash;
	TDB_DATA key;
	int r;

	if (!copy)
		return -E2BIG;
	s->touched++;
	key = known_key(s, kind, a, b, &hash);
	r = show(s, key, hash, copy_fill, &s->copies);
	if (r == 0)
		s->copies.n++;
	*ret = copy;
	return r;
}

/* The copy of a record, which is made if there is none. As copy_make(). */
static int copy_get(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, struct copy **ret)
{
	*ret = copies_find(&s->copies, kind, a, b);
	return *ret ? 0 : copy_make(s, kind, a, b, ret);
}

int store_find(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, size_t size, void **ret)
{
	struct copy *copy;
	int r = copy_get(s, kind, a, b, &copy);

	if (r < 0)
		return r;
	*ret = copy->data;
	return copy->size == size ? 0 : -EUCLEAN;
}

int store_find_any(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, void **ret, size_t *ret_size)
{
	struct copy *copy;
	int r = copy_get(s, kind, a, b, &copy);

	if (r < 0)
		return r;
	*ret = copy->data;
	*ret_size = copy->size;
	return 0;
}

void store_touch(struct store *s, const void *p, size_t size)
{
	copies_touch(&s->copies, p, size);
}

void store_trim(struct store *s)
{
	copies_trim(&s->copies);
}

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

int store_read(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, void *data, size_t size)
{
	const struct copy *copy = copies_find(&s->copies, kind, a, b);
	struct fetch fetch = { .data = data, .size = size };
	uint32_t hash;
	TDB_DATA key;
	int r;

	if (copy) {
		if (copy->size != size)
			return -EUCLEAN;
		(void)memcpy(data, copy->data, size);
		return 0;
	}
	s->touched++;
	key = known_key(s, kind, a, b, &hash);
	r = must_exist(show(s, key, hash, fetch_fixed, &fetch));
	return r < 0 || fetch.fits ? r : -EUCLEAN;
}

/* ---- sections ---- */

/* Whether a change was made to the scoreboard that this file does not have: it is an earlier copy. */
static bool is_earlier(const struct store *s, const struct page_use *use)
{
	return use->applied > s->sequence && use->applied >> STORE_LIFE_SHIFT == s->sequence >> STORE_LIFE_SHIFT;
}

/*
 * Whether the contents are those of the scoreboard that this process had open,
 * or that the last process that used the lock's page had open. 0 or -EREMCHG.
 */
static int check_life(struct store *s)
{
	uint16_t life = (uint16_t)(s->sequence >> STORE_LIFE_SHIFT);
	struct page_use use;

	if (!s->file.lock || s->is_adopting)
		return 0;
	use = page_last_use(lock_page(s->file.lock));
	if ((s->life != 0 && s->life != life) || (use.life != 0 && use.life != life) || is_earlier(s, &use))
		return -EREMCHG;
	if (use.life == 0)
		page_set_life(lock_page(s->file.lock), life);
	s->life = life;
	return 0;
}

uint64_t store_sequence(const struct store *s)
{
	return s->sequence;
}

bool store_is_adopted(const struct store *s)
{
	struct page_use use;

	if (!s->file.lock)
		return false;
	use = page_last_use(lock_page(s->file.lock));
	return use.life == (uint16_t)(s->sequence >> STORE_LIFE_SHIFT) && !is_earlier(s, &use);
}

void store_adopting(struct store *s, bool on)
{
	s->is_adopting = on;
}

void store_adopt(struct store *s)
{
	s->life = (uint16_t)(s->sequence >> STORE_LIFE_SHIFT);
}

/*
 * A process died with the lock. If that was in a transaction that it was making real, tdb undoes the transaction now. A
 * stock tool may be doing that, too: so here tdb locks everything in truth, and waits for such a tool. A tool that only
 * reads has no lock then: the dead process had them all, and whoever got one after it had to undo the transaction first.
 */
static int recover(struct store *s)
{
	if (!s->file.lock || !tools_must_recover(file_fd(&s->file)))
		return 0;
	if (tdb_lockall(s->file.tdb) < 0)
		return file_error(s->file.tdb);
	(void)tdb_unlockall(s->file.tdb);
	return 0;
}

/* Takes the lock. As file_take(), and what a process that died with the lock had begun is undone or whole. */
static int take(struct store *s)
{
	int r = file_take(&s->file);

	if (r == 1) {
		r = recover(s);
		if (r < 0)
			file_leave(&s->file);
	}
	return r;
}

/* tdb believes that it has locked everything, so that it locks no record by itself. */
static int lock_tdb(struct store *s)
{
	tdb_add_flags(s->file.tdb, TDB_NOLOCK);
	s->mode = LOCKED;
	if (tdb_lockall(s->file.tdb) < 0)
		return file_error(s->file.tdb);
	s->has_all = true;
	return s->file.lock && !lock_assure(s->file.lock) ? -ESTALE : 0;
}

int store_lock(struct store *s)
{
	int r = take(s);

	if (r < 0)
		return r;
	s->copies.n = 0;
	r = lock_tdb(s);
	if (r == -ESTALE) { /* another process has taken the lock over: this process takes it again, after that one */
		store_unlock(s);
		return store_lock(s);
	}
	if (r == 0)
		r = finish_change(s) ?: check_life(s);
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
	s->copies.n = 0;
	if (s->mode != LOCKED)
		return;
	s->mode = UNLOCKED;
	count_section(s);
	if (s->has_all)
		(void)tdb_unlockall(s->file.tdb); /* fails only if this process does not hold the lock */
	s->has_all = false;
	tdb_remove_flags(s->file.tdb, TDB_NOLOCK);
	file_leave(&s->file);
}

/* Begins tdb's transaction, with all locks that it needs to its end: the commit must not wait for a stock tool, either. 0;
 * -EBUSY: another process has one of them; or -errno. */
static int start(struct store *s)
{
	int fd = file_fd(&s->file), r = s->file.lock ? tools_keep_out(fd) : 0;

	if (r < 0)
		return r;
	if (tdb_transaction_start(s->file.tdb) < 0) {
		r = file_error(s->file.tdb);
		if (s->file.lock)
			tools_let_in(fd);
		return r;
	}
	r = s->file.lock ? tools_keep_out(fd) : 0; /* tdb lets processes in that only read */
	if (r < 0)
		(void)tdb_transaction_cancel(s->file.tdb);
	return r;
}

static int begin(struct store *s)
{
	/* A process that has met the tool before does not wait for it again and again. */
	struct tools_wait wait = tools_wait_begin(s->told_of_tool ? 0 : TOOLS_MOST_USEC);
	int r;

	do {
		r = take(s);
		if (r < 0)
			return r;
		r = start(s);
		if (r < 0)
			file_leave(&s->file);
		if (r == -EBUSY)
			file_follow(&s->file); /* a process that rebuilds has them, and may have given the name to its new file */
	} while (r == -EBUSY && (r = tools_wait(&wait, file_fd(&s->file), &s->told_of_tool)) == 0);
	if (r < 0)
		return r;
	s->told_of_tool = false;
	s->mode = TRANSACTION;
	s->copies.n = 0;
	if (s->file.lock && !lock_assure(s->file.lock)) {
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
	r = finish_change(s) ?: check_life(s);
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
	r = begin(s) ?: read_change(s);
	if (r < 0)
		store_cancel(s);
	else
		*ret_false = is_half_applied(s);
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

int store_forget(struct store *s)
{
	(void)memset(&s->intent, 0, sizeof(s->intent));
	intent_begin(&s->intent, s->sequence);
	return put_intent(s);
}

int store_renew_life(struct store *s)
{
	uint16_t life = random_life();

	s->sequence = (uint64_t)life << STORE_LIFE_SHIFT | (s->sequence & ((UINT64_C(1) << STORE_LIFE_SHIFT) - 1));
	/* If this process is killed before the transaction is real, the next process does the same. */
	if (s->file.lock)
		page_set_life(lock_page(s->file.lock), life);
	return put_applied(s, s->sequence) ?: store_forget(s);
}

int store_check(struct store *s)
{
	if (tdb_check(s->file.tdb, NULL, NULL) == 0)
		return file_believe(0);
	return tdb_error(s->file.tdb) == TDB_ERR_OOM ? -ENOMEM : -EUCLEAN;
}

int store_end(struct store *s)
{
	int r = store_flush(s);
	size_t size;

	if (r < 0) {
		store_cancel(s);
		return r;
	}
	s->mode = UNLOCKED;
	count_section(s);
	size = tdb_map_size(s->file.tdb);
	r = file_believe(tdb_transaction_commit(s->file.tdb) < 0 ? file_commit_error(s->file.tdb, size) : 0);
	file_leave(&s->file);
	return r;
}

void store_cancel(struct store *s)
{
	s->copies.n = 0;
	if (s->mode != TRANSACTION)
		return;
	s->mode = UNLOCKED;
	count_section(s);
	(void)tdb_transaction_cancel(s->file.tdb); /* fails only without a transaction */
	file_leave(&s->file);
}

int store_flush(struct store *s)
{
	int r = copies_write(s);

	s->copies.n = 0;
	return r;
}

static int compare_fixed(TDB_DATA key, TDB_DATA value, void *arg)
{
	struct fetch *fetch = arg;

	(void)key;
	fetch->fits = value.dsize == fetch->size && memcmp(fetch->data, value.dptr, value.dsize) == 0;
	return 0;
}

int store_put(struct store *s, enum store_kind kind, uint32_t a, uint32_t b, const void *data, size_t size)
{
	struct fetch fetch = { .data = (void *)(uintptr_t)data, .size = size };
	char buffer[KEY_MAX];
	TDB_DATA key = make_key(buffer, kind, a, b);
	int r = store_flush(s);

	if (r < 0)
		return r;
	if (tdb_parse_record(s->file.tdb, key, compare_fixed, &fetch) == 0 && fetch.fits)
		return file_believe(0);
	s->touched++;
	if (s->watch)
		s->watch(kind, a, b, s->watch_arg);
	return put(s, key, data, size, TDB_REPLACE);
}

int store_delete(struct store *s, enum store_kind kind, uint32_t a, uint32_t b)
{
	char buffer[KEY_MAX];
	int r = store_flush(s);

	if (r < 0)
		return r;
	if (tdb_delete(s->file.tdb, make_key(buffer, kind, a, b)) < 0)
		return tdb_error(s->file.tdb) == TDB_ERR_NOEXIST ? 0 : file_error(s->file.tdb);
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

	return tdb_traverse_read(s->file.tdb, visit, &walk) < 0 ? file_error(s->file.tdb) : walk.r;
}

/* ---- in memory ---- */

int store_create_in_memory(struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->file = file_none();
	s->file.tdb = tdb_open(NULL, (int)STORE_HASH_SIZE, TDB_INTERNAL, O_RDWR, 0);
	if (!s->file.tdb) {
		free(s);
		return -ENOMEM;
	}
	s->is_salvaged = true;
	*ret = s;
	return 0;
}

int store_add(struct store *s, const void *name, size_t length, const void *data, size_t size)
{
	TDB_DATA key = { .dptr = (unsigned char *)(uintptr_t)name, .dsize = length };
	TDB_DATA value = { .dptr = (unsigned char *)(uintptr_t)data, .dsize = size };

	if (tdb_store(s->file.tdb, key, value, TDB_INSERT) == 0 || tdb_error(s->file.tdb) == TDB_ERR_EXISTS)
		return 0;
	return -ENOMEM;
}

int store_finish(struct store *s)
{
	int r = finish_change(s);

	s->life = (uint16_t)(s->sequence >> STORE_LIFE_SHIFT);
	return r == -EUCLEAN ? 0 : r;
}

/* ---- begun and ended ---- */

/* The records that every section needs. */
static int format(struct store *s, uint64_t applied)
{
	int r;

	intent_begin(&s->intent, applied);
	s->is_new = true;
	r = store_begin(s) ?:
	    put(s, name_key("intent"), &s->intent, sizeof(s->intent), TDB_REPLACE) ?:
	    put(s, name_key("applied"), &applied, sizeof(applied), TDB_REPLACE) ?:
	    store_end(s);
	s->is_new = false;
	return r;
}

int store_open(const char *path, struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));
	int r = s ? file_open(path, &s->file) : -ENOMEM;

	if (r < 0)
		free(s);
	else
		*ret = s;
	return r;
}

int store_create(const struct folder *folder, uint64_t after, struct store **ret)
{
	uint64_t applied = after ? after + 1 : (uint64_t)random_life() << STORE_LIFE_SHIFT;
	struct store *s = calloc(1, sizeof(*s));
	int r = s ? file_create(folder, &s->file) : -ENOMEM;

	if (r < 0) {
		free(s);
		return r;
	}
	r = format(s, applied);
	if (r < 0)
		(void)store_close(s);
	else
		*ret = s;
	return r;
}

/* Takes an image of the file in a section of its own. As store_copy(); -EAGAIN: it needs more memory. */
static int take_image(struct store *s, struct file_image *image)
{
	int r = store_lock(s);

	if (r < 0)
		return r;
	r = file_image_take(&s->file, image);
	store_unlock(s);
	return r;
}

int store_copy(struct store *s, struct store **ret)
{
	struct store *copy = calloc(1, sizeof(*copy));
	struct file_image image;
	int r = copy ? -EAGAIN : -ENOMEM;

	while (r == -EAGAIN) {
		r = file_image_prepare(&s->file, &image);
		if (r < 0)
			break;
		r = take_image(s, &image) ?: file_image_open(&image, &copy->file);
		file_image_clear(&image);
	}
	if (r < 0)
		free(copy);
	else
		*ret = copy;
	return r;
}

struct file *store_file(struct store *s)
{
	return &s->file;
}

unsigned store_most_touched(const struct store *s)
{
	return s->most_touched;
}

void store_after_fork(struct store *s, const struct holder *self)
{
	if (s->file.lock)
		lock_after_fork(s->file.lock, self);
}

int store_prepare(struct store *s)
{
	(void)file_has_places(&s->file, "applied");
	return 0;
}

void store_spare(struct store *s)
{
	if (s->mode == UNLOCKED)
		spare_bytes(&s->intent, sizeof(*s) - offsetof(struct store, intent));
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	store_cancel(s);
	store_unlock(s);
	file_close(&s->file);
	free(s);
	return NULL;
}
