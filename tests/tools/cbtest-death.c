/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-death.c: kills a process at every store, lock and unlock of every
 * operation on a scoreboard, at one of them in each run. Then it checks that the
 * scoreboard is sound and the next client is served.
 *
 * The linker's --wrap puts the functions of this file between the library and
 * tdb, and before the writes that go to a record's place without tdb. The process
 * is killed before a store or a write, after it, and in its middle: with half of
 * the bytes new and the other half as they were.
 */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tdb.h>

#include "repair/fsck.h"
#include "scoreboard.h"
#include "store/mutex.h"

#define CORES_A 2u
#define CORES_B 1u
#define SLOTS (CORES_A + CORES_B)

/* ---- death ---- */

enum moment { BEFORE, TORN, AFTER, MOMENTS };

static long steps_left = -1;   /* -1: the process does not die */
static enum moment when;
static unsigned unseen_in_row; /* writes to a file without a name since the last step of another kind */
static unsigned rings_in_row;  /* stores of a page of the ring since a store of another kind */
static bool has_renamed;       /* a file without a name may be the one that was replaced, from now on */

int __real_tdb_store(struct tdb_context *tdb, TDB_DATA key, TDB_DATA data, int flag);
int __wrap_tdb_store(struct tdb_context *tdb, TDB_DATA key, TDB_DATA data, int flag);
void __real_place_write(void *place, const void *bytes, size_t size);
void __wrap_place_write(void *place, const void *bytes, size_t size);
int __real_tdb_lockall(struct tdb_context *tdb);
int __wrap_tdb_lockall(struct tdb_context *tdb);
int __real_tdb_unlockall(struct tdb_context *tdb);
int __wrap_tdb_unlockall(struct tdb_context *tdb);
int __real_tdb_delete(struct tdb_context *tdb, TDB_DATA key);
int __wrap_tdb_delete(struct tdb_context *tdb, TDB_DATA key);
int __real_tdb_transaction_start(struct tdb_context *tdb);
int __wrap_tdb_transaction_start(struct tdb_context *tdb);
int __real_tdb_transaction_commit(struct tdb_context *tdb);
int __wrap_tdb_transaction_commit(struct tdb_context *tdb);

int __real_mutex_try(struct mutex *mutex, uint32_t tid, bool waited);
int __wrap_mutex_try(struct mutex *mutex, uint32_t tid, bool waited);
int __real_mutex_leave(struct mutex *mutex, uint32_t tid);
int __wrap_mutex_leave(struct mutex *mutex, uint32_t tid);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_unlink(const char *name);
int __wrap_unlink(const char *name);

static void die(void)
{
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

/* Counts a step. Returns whether it is the step at which the process dies. */
static bool my_turn(void)
{
	unseen_in_row = 0;
	return steps_left > 0 && --steps_left == 0;
}

/* The same for a step that has no middle: a death in the middle would be the death before it, once more. */
static bool my_turn_whole(void)
{
	return when != TORN && my_turn();
}

/*
 * The same for a step that writes to a file. What is in the process's own memory (fd is -1) is lost with the process, so
 * that is no step. A file that is made to replace another has no name yet, and no other process has it open: wherever in
 * a write its process dies, the file is gone. So a single moment of such a write is tried, and of those in a row the
 * first and each eighth after it.
 */
static bool my_turn_in(int fd)
{
	struct stat st;

	if (steps_left > 0 && fd < 0)
		return false;
	if (steps_left > 0 && !has_renamed && fstat(fd, &st) == 0 && st.st_nlink == 0)
		return when == BEFORE && unseen_in_row++ % 8 == 0 && --steps_left == 0;
	return my_turn();
}

/*
 * The ring is hundreds of records of one kind, which are stored in a row: a death at one of them leaves what a death at
 * the next would. Of those in a row the first and each sixteenth after it are tried.
 */
static bool is_tried(TDB_DATA key)
{
	static const char kind[] = "ring/";

	if (key.dsize >= strlen(kind) && memcmp(key.dptr, kind, strlen(kind)) == 0)
		return rings_in_row++ % 16 == 0;
	rings_in_row = 0;
	return true;
}

int __wrap_tdb_store(struct tdb_context *tdb, TDB_DATA key, TDB_DATA data, int flag)
{
	TDB_DATA old;
	int r;

	if (!is_tried(key) || !my_turn_in(tdb_fd(tdb)))
		return __real_tdb_store(tdb, key, data, flag);
	if (when == BEFORE)
		die();
	if (when == TORN) {
		old = tdb_fetch(tdb, key);
		if (old.dptr && old.dsize == data.dsize) {
			(void)memcpy(old.dptr, data.dptr, data.dsize / 2);
			(void)__real_tdb_store(tdb, key, old, flag);
		}
		die();
	}
	r = __real_tdb_store(tdb, key, data, flag);
	die();
	return r;
}

void __wrap_place_write(void *place, const void *bytes, size_t size)
{
	bool mine = my_turn();

	if (mine && when == BEFORE)
		die();
	__real_place_write(place, bytes, mine && when == TORN ? size / 2 : size);
	if (mine)
		die();
}

/* The steps of a rebuild that write to files. */
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	ssize_t r;

	if (!my_turn_in(fd))
		return __real_pwrite(fd, data, size, offset);
	if (when == BEFORE)
		die();
	r = __real_pwrite(fd, data, when == TORN ? size / 2 : size, offset);
	die();
	return r;
}

#define WRAP(name, params, args) \
	int __wrap_##name params \
	{ \
		bool mine = my_turn_whole(); \
		int r; \
		if (mine && when == BEFORE) \
			die(); \
		r = __real_##name args; \
		if (mine) \
			die(); \
		return r; \
	}

int __wrap_rename(const char *from, const char *to)
{
	bool mine = my_turn_whole();
	int r;

	if (mine && when == BEFORE)
		die();
	has_renamed = true;
	r = __real_rename(from, to);
	if (mine)
		die();
	return r;
}

WRAP(unlink, (const char *name), (name))
WRAP(mutex_try, (struct mutex *mutex, uint32_t tid, bool waited), (mutex, tid, waited))
WRAP(mutex_leave, (struct mutex *mutex, uint32_t tid), (mutex, tid))
WRAP(tdb_lockall, (struct tdb_context *tdb), (tdb))
WRAP(tdb_unlockall, (struct tdb_context *tdb), (tdb))
WRAP(tdb_delete, (struct tdb_context *tdb, TDB_DATA key), (tdb, key))
WRAP(tdb_transaction_start, (struct tdb_context *tdb), (tdb))
WRAP(tdb_transaction_commit, (struct tdb_context *tdb), (tdb))

/* ---- the clock ---- */

static uint64_t clock_ahead_usec;

uint64_t __real_now_boottime(void);
uint64_t __wrap_now_boottime(void);
uint64_t __wrap_now_boottime(void)
{
	return __real_now_boottime() + clock_ahead_usec;
}

/* ---- the scene ---- */

static const char *path;
static struct score *ours;          /* the parent's */
static struct score_slot held[SLOTS];
static unsigned n_held;
static struct score_ticket queued;
static bool is_queued;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)fprintf(stderr, "cbtest-death: ");
	(void)vfprintf(stderr, format, ap);
	(void)fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

static void list(struct nodelist *ret, const char *text)
{
	if (nodelist_parse("test", text, strlen(text), ret) < 0 || ret->n_errors)
		fail("the test's own node list is wrong");
}

static const char two_nodes[] = "127.0.0.1, 1001, 2, 0, speed=2\n127.0.0.1, 1002, 1, 0\n";
static const char other_nodes[] = "127.0.0.1, 1003, 9, 0\n127.0.0.1, 1001, 1, 0\n";

/* Removes the damaged scoreboards that were kept. */
static void remove_kept(void)
{
	char pattern[4096];
	glob_t found;

	(void)snprintf(pattern, sizeof(pattern), "%s.*", path);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)unlink(found.gl_pathv[i]);
	globfree(&found);
}

/* Copies a file. */
static void copy(int from, int to)
{
	off_t offset = 0;
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		fail("cannot copy %s", path);
	while (offset < st.st_size)
		if (sendfile(to, from, &offset, (size_t)(st.st_size - offset)) <= 0)
			fail("cannot copy %s", path);
}

/* Makes the scoreboard. Returns a copy of it, in memory. */
static int make_first(void)
{
	int first = memfd_create("first", MFD_CLOEXEC), fd;
	struct nodelist nodes;

	list(&nodes, two_nodes);
	if (score_open(path, &nodes, &ours) < 0)
		fail("cannot make %s", path);
	nodelist_clear(&nodes);
	ours = score_close(ours);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	copy(fd, first);
	(void)close(fd);
	return first;
}

/* Each scene begins with a copy of the first scoreboard: that costs a third of what a new scoreboard costs. */
static void scene_open(void)
{
	static int first = -1;
	int fd;

	(void)unlink(path);
	remove_kept();
	if (first < 0) {
		first = make_first();
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		copy(first, fd);
		(void)close(fd);
	}
	if (score_open(path, NULL, &ours) < 0)
		fail("cannot open %s", path);
	n_held = 0;
	is_queued = false;
}

static void hold(unsigned n)
{
	struct score_target target;

	while (n_held < n)
		if (score_claim(ours, &(struct score_arrival){ .client = "parent" }, &held[n_held++], &target, NULL) != 0)
			fail("cannot claim slot %u", n_held - 1);
}

/*
 * The parent waits behind processes that hold all other slots. A newcomer looks for the dead from time to time: where
 * there are some, it may find a slot of theirs instead, which it then holds.
 */
static void queue_up(bool beside_dead)
{
	struct score_target target;
	struct score_slot slot;
	int r = score_claim(ours, &(struct score_arrival){ .client = "parent waits" }, &slot, &target, &queued);

	if (r == 0 && beside_dead)
		held[n_held++] = slot;
	else if (r == 1)
		is_queued = true;
	else
		fail("the parent should have to wait, not %d", r);
}

/* ---- operations: what stands before the first counted step, and what is counted ---- */

struct stage {
	struct score_slot slot;
	struct score_target target;
	struct score_ticket ticket, younger;
	int r;
};

static void before_nothing(struct score *s, struct stage *stage)
{
	(void)s;
	(void)stage;
}

static void before_claim(struct score *s, struct stage *stage)
{
	const struct score_arrival arrival = { .policy = POLICY_AFFINITY, .clients = 20, .client = "child" };

	stage->r = score_claim(s, &arrival, &stage->slot, &stage->target, &stage->ticket);
}

static void do_claim(struct score *s, struct stage *stage)
{
	before_claim(s, stage);
}

static void do_join(struct score *s, struct stage *stage)
{
	(void)score_join(s, &(struct score_arrival){ .policy = POLICY_HASH, .client = "child" },
			 &stage->ticket);
}

static void before_fair(struct score *s, struct stage *stage)
{
	stage->r = score_claim(s, &(struct score_arrival){ .client = "192.0.2.1:1", .fair = true }, &stage->slot, &stage->target,
			       &stage->ticket);
}

static void do_claim_fair(struct score *s, struct stage *stage)
{
	before_fair(s, stage);
}

static void before_joins_fair(struct score *s, struct stage *stage)
{
	(void)score_join(s, &(struct score_arrival){ .client = "192.0.2.1:1", .fair = true }, &stage->ticket);
	(void)score_join(s, &(struct score_arrival){ .client = "192.0.2.1:2", .fair = true }, &(struct score_ticket){ 0 });
	(void)score_join(s, &(struct score_arrival){ .client = "192.0.2.2:1", .fair = true }, &stage->younger);
}

static void do_rename(struct score *s, struct stage *stage)
{
	(void)score_rename(s, &stage->slot, "[2001:db8::1]:1");
}

static void do_release(struct score *s, struct stage *stage)
{
	(void)score_release(s, &stage->slot, 10, 20, true);
}

static void do_failed(struct score *s, struct stage *stage)
{
	struct score_edge edge;

	(void)score_failed(s, &stage->slot, REASON_REFUSED, 1000, &(struct score_arrival){ .client = "child" }, &edge,
			   &stage->slot, &stage->target, &stage->ticket);
}

static void do_leave(struct score *s, struct stage *stage)
{
	(void)score_leave(s, &stage->ticket);
}

static void do_join_take(struct score *s, struct stage *stage)
{
	(void)score_take(s, &stage->ticket, &stage->slot, &stage->target);
}

static void before_join(struct score *s, struct stage *stage)
{
	do_join(s, stage);
}

/* Two waiters; both will be granted a slot. */
static void before_two_joins(struct score *s, struct stage *stage)
{
	do_join(s, stage);
	(void)score_join(s, &(struct score_arrival){ .client = "child" }, &stage->younger);
}

static void do_take_younger(struct score *s, struct stage *stage)
{
	(void)score_take(s, &stage->younger, &stage->slot, &stage->target);
	(void)score_take(s, &stage->ticket, &stage->slot, &stage->target);
}

static void do_leave_younger(struct score *s, struct stage *stage)
{
	(void)score_leave(s, &stage->younger);
	(void)score_leave(s, &stage->ticket);
}

static void do_progress(struct score *s, struct stage *stage)
{
	(void)score_progress(s, &stage->slot, 1000, 2000);
}

static void do_hold(struct score *s, struct stage *stage)
{
	(void)stage;
	(void)score_hold(s, "127.0.0.1:1001", "because");
}

static void do_unhold(struct score *s, struct stage *stage)
{
	(void)stage;
	(void)score_unhold(s, "127.0.0.1:1001");
}

static void do_verdicts(struct score *s, struct stage *stage)
{
	struct score_verdict verdict = {
		.reason = REASON_REFUSED, .rise = 1, .fall = 1, .flaps = 2, .flap_usec = 1000000,
	};
	struct score_edge edge;

	(void)stage;
	(void)score_verdict(s, 1, &verdict, &edge);
	verdict.success = true;
	verdict.work_usec = 20000;
	(void)score_verdict(s, 1, &verdict, &edge);
	verdict.success = false;
	(void)score_verdict(s, 1, &verdict, &edge);
	verdict.success = true;
	(void)score_verdict(s, 1, &verdict, &edge);
}

static void do_doubted(struct score *s, struct stage *stage)
{
	struct score_edge edge;

	(void)score_doubted(s, &stage->slot, 10, REASON_SILENT, 1000, &edge);
}

/* A speed that was learned long ago: as it fades, the index changes. */
static void before_old(struct score *s, struct stage *stage)
{
	(void)stage;
	for (unsigned i = 0; i < 40; i++) {
		struct score_verdict verdict = { .success = true, .rise = 1, .fall = 1, .work_usec = 10000 };
		struct score_edge edge;

		(void)score_verdict(s, 1, &verdict, &edge);
		verdict.work_usec = 90000;
		(void)score_verdict(s, 2, &verdict, &edge);
	}
	clock_ahead_usec = UINT64_C(100) * 3600 * 1000000;
}

static void do_age(struct score *s, struct stage *stage)
{
	(void)stage;
	(void)score_age(s);
}

/* Words that take the node out, make it smaller, and put it back. */
static void do_agent(struct score *s, struct stage *stage)
{
	struct agent_line line;
	struct score_edge edge;

	(void)stage;
	(void)score_agent(s, 1, NULL, "drain down 50% #why", &line, &edge);
	(void)score_agent(s, 1, NULL, "maxconn:1 ready", &line, &edge);
	(void)score_agent(s, 1, NULL, "up 100% maxconn:0", &line, &edge);
}

/* A probe with a slot: on a node that is up, and as the trial of one that is down; flaps as in the verdict. */
static void probe(struct score *s, struct stage *stage, unsigned flaps)
{
	struct score_verdict verdict = {
		.reason = REASON_REFUSED, .rise = 1, .fall = 1, .flaps = flaps, .flap_usec = 1000000,
	};
	char before[NODE_FINGERPRINT_MAX + 1];
	struct score_edge edge;
	bool served;

	for (int i = 0; i < 3; i++) {
		if (score_claim_node(s, 1, "child", &stage->slot, &served) != 0)
			return;
		verdict.success = i == 2;
		(void)score_verdict(s, 1, &verdict, &edge);
		(void)score_unclaim(s, &stage->slot, i != 1);
	}
	(void)score_set_fingerprint(s, 1, NULL, "x86-64", before);
}

static void do_probe(struct score *s, struct stage *stage)
{
	probe(s, stage, 0);
}

static void do_probe_flapping(struct score *s, struct stage *stage)
{
	probe(s, stage, 1);
}

/* Claims the last free slot for a probe, whichever node it is of. */
static void before_probe(struct score *s, struct stage *stage)
{
	bool served;

	if (score_claim_node(s, 1, "child", &stage->slot, &served) != 0 &&
	    score_claim_node(s, 2, "child", &stage->slot, &served) != 0)
		fail("no slot for a probe");
}

static void do_unclaim(struct score *s, struct stage *stage)
{
	(void)score_unclaim(s, &stage->slot, true);
}

/* A node that is down is tried by a connection that fails, and by a connection that reaches it. */
static void do_trials(struct score *s, struct stage *stage)
{
	struct score_edge edge;

	for (int i = 0; i < 2; i++) {
		if (score_failed(s, &stage->slot, REASON_REFUSED, 1, &(struct score_arrival){ .client = "child" }, &edge,
				 &stage->slot, &stage->target, &stage->ticket) != 0)
			return;
	}
	(void)score_connected(s, &stage->slot, &edge);
	(void)score_release(s, &stage->slot, 1, 1, true);
}

static void do_load(struct score *s, struct stage *stage)
{
	struct nodelist nodes;

	(void)stage;
	list(&nodes, other_nodes);
	(void)score_load(s, &nodes, NULL);
	nodelist_clear(&nodes);
}

/* A node comes, and grows; another node changes, and goes as soon as it has no connection. */
static void do_edits(struct score *s, struct stage *stage)
{
	const uint32_t cores = field_bit(field_find("cores", 5)), speed = field_bit(field_find("speed", 5));
	struct score_edit edit = { .what = EDIT_ADD };
	struct nodelist nodes;

	(void)stage;
	list(&nodes, other_nodes);
	edit.config = nodes.nodes[0];
	(void)score_edit(s, &edit, NULL);
	edit = (struct score_edit){ .what = EDIT_SET, .config = edit.config, .fields = cores };
	edit.config.cores = 17;
	(void)score_edit(s, &edit, NULL);
	edit = (struct score_edit){ .what = EDIT_SET, .config = nodes.nodes[1], .fields = speed };
	(void)score_edit(s, &edit, NULL);
	edit.what = EDIT_REMOVE;
	(void)score_edit(s, &edit, NULL);
	nodelist_clear(&nodes);
}

/* Several gateways come to share the farm, one more comes, and all others go. */
static void do_split(struct score *s, struct stage *stage)
{
	(void)stage;
	(void)score_split(s, &(struct split){ .part = 2, .parts = 2 }, true);
	(void)score_split(s, &(struct split){ .part = 1, .parts = 3 }, true);
	(void)score_split(s, &(struct split){ .parts = 0 }, true);
}

/* The slot that the child was granted is not taken within the lease; then there is another lease, with other shares. */
static void do_lease(struct score *s, struct stage *stage)
{
	uint32_t busy;

	(void)score_set_lease(s, 1);
	(void)score_set_share(s, 1, 1, &busy);
	(void)score_take(s, &stage->ticket, &stage->slot, &stage->target);
	(void)score_set_lease(s, UINT64_MAX);
	(void)score_set_share(s, 1, 2, &busy);
	(void)score_take(s, &stage->ticket, &stage->slot, &stage->target);
}

/* A process that held a slot and a process that waited have died. */
static void before_corpses(struct score *s, struct stage *stage)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			score_after_fork(s);
			before_claim(s, stage);
			_exit(0);
		}
		(void)waitpid(pid, NULL, 0);
	}
}

/* The same where the farm is fair. */
static void before_corpses_fair(struct score *s, struct stage *stage)
{
	before_fair(s, stage);
	(void)score_release(s, &stage->slot, 0, 0, true);
	before_corpses(s, stage);
}

static void do_reap(struct score *s, struct stage *stage)
{
	(void)stage;
	(void)score_reap(s, NULL, NULL);
}

/* The node of the slot is no longer listed. */
static void before_collect(struct score *s, struct stage *stage)
{
	before_claim(s, stage);
	do_load(s, stage);
}

/* No record can be found any more. */
static void do_rebuild(struct score *s, struct stage *stage)
{
	static const char zeros[4 * 8191];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || __real_pwrite(fd, zeros, sizeof(zeros), 172) < 0)
		_exit(2);
	(void)close(fd);
	do_release(s, stage);
}

static const struct operation {
	const char *name;
	unsigned held;         /* slots that the parent holds meanwhile */
	bool queued;           /* the parent waits, too; it joins after before() */
	unsigned released;     /* slots that the parent releases after before(), for the child's tickets */
	void (*before)(struct score *s, struct stage *stage);
	void (*counted)(struct score *s, struct stage *stage);
} operations[] = {
	{ "claim", 0, false, 0, before_nothing, do_claim },
	{ "claim, and wait", SLOTS, false, 0, before_nothing, do_claim },
	{ "claim behind others", SLOTS, true, 0, before_nothing, do_claim },
	{ "join", 1, false, 0, before_nothing, do_join },
	{ "release", 0, false, 0, before_claim, do_release },
	{ "hand over", SLOTS - 1, true, 0, before_claim, do_release },
	{ "take", SLOTS, false, 1, before_join, do_join_take },
	{ "take before an older one", SLOTS, false, 2, before_two_joins, do_take_younger },
	{ "leave with an older one", SLOTS, true, 2, before_two_joins, do_leave_younger },
	{ "leave the queue", SLOTS, false, 0, before_join, do_leave },
	{ "leave with a slot", SLOTS, false, 1, before_join, do_leave },
	{ "connect failed", 0, false, 0, before_claim, do_failed },
	{ "not answered", 0, false, 0, before_claim, do_doubted },
	{ "connect failed, all busy", SLOTS - 1, true, 0, before_claim, do_failed },
	{ "trials", 0, false, 0, before_claim, do_trials },
	{ "progress", 0, false, 0, before_claim, do_progress },
	{ "hold", 0, false, 0, before_claim, do_hold },
	{ "put back", 0, false, 0, do_hold, do_unhold },
	{ "verdicts", 0, false, 0, before_nothing, do_verdicts },
	{ "speeds grow old", 0, false, 0, before_old, do_age },
	{ "an agent's words", 0, false, 0, before_claim, do_agent },
	{ "a probe's slot", 0, false, 0, before_nothing, do_probe },
	{ "a probe's slot, of a node that flaps", 0, false, 0, before_nothing, do_probe_flapping },
	{ "a probe's slot, and one that waits", SLOTS - 1, true, 0, before_probe, do_unclaim },
	{ "reap", SLOTS - 1, true, 0, before_corpses, do_reap },
	{ "fair: the first to ask", 1, false, 0, before_nothing, do_claim_fair },
	{ "fair: claim, and wait", SLOTS, true, 0, before_nothing, do_claim_fair },
	{ "fair: hand over", SLOTS - 1, true, 0, before_fair, do_release },
	{ "fair: take", SLOTS, false, 2, before_joins_fair, do_take_younger },
	{ "fair: leave", SLOTS, true, 1, before_joins_fair, do_leave_younger },
	{ "fair: connect failed", SLOTS - 1, true, 0, before_fair, do_failed },
	{ "fair: another client", 0, false, 0, before_fair, do_rename },
	{ "fair: reap", SLOTS - 1, true, 0, before_corpses_fair, do_reap },
	{ "fair: rebuild", 1, false, 0, before_fair, do_rebuild },
	{ "load", 1, false, 0, before_claim, do_load },
	{ "a split, another, and none", SLOTS, true, 1, before_nothing, do_split },
	{ "shares and a lease", SLOTS, false, 1, before_join, do_lease },
	{ "edits", 0, false, 0, before_nothing, do_edits },
	{ "rebuild", 1, false, 0, before_claim, do_rebuild },
	{ "the last one leaves a node", 0, false, 0, before_collect, do_release },
};

/* ---- afterwards ---- */

static void show(const char *finding, void *arg)
{
	(void)arg;
	(void)fprintf(stderr, "  %s\n", finding);
}

static void check_sound(const char *name, long step)
{
	unsigned findings;
	int r = fsck_run(ours, false, show, NULL, &findings); /* no other process is kept waiting: no copy is needed */

	if (r < 0 || findings)
		fail("%s, %s step %ld: %u findings, %s", name,
		     (const char *[]){ "before", "torn at", "after" }[when], step, findings, strerror(-r));
}

/* Other gateways, if the process that died knew of any, leave all cores to this one. Returns whether that changed anything. */
static bool share_no_more(const char *name, long step)
{
	struct split split;
	bool leased;
	int r;

	if (score_get_split(ours, &split) < 0)
		fail("%s, step %ld: how the farm is split cannot be read", name, step);
	leased = split_is_leased(&split);
	if (leased && score_set_lease(ours, 0) < 0)
		fail("%s, step %ld: the farm stays shared", name, step);
	r = score_split(ours, &(struct split){ .parts = 0 }, true);
	if (r < 0)
		fail("%s, step %ld: the farm stays split", name, step);
	return leased || r == 0;
}

/* Exactly the slots that this process holds are taken; exactly the other slots can be claimed. */
static void check_served(const char *name, long step)
{
	struct score_target target;
	struct score_slot slots[64];
	struct score_totals totals;
	unsigned n = 0;

	if (score_reap(ours, NULL, NULL) < 0)
		fail("%s, step %ld: cannot reap", name, step);
	check_sound(name, step);
	if (share_no_more(name, step))
		check_sound(name, step);
	if (is_queued) {
		if (score_take(ours, &queued, &slots[0], &target) == 0)
			n = 1;
		else if (score_totals(ours, &totals) == 0 && totals.free == 0)
			(void)score_leave(ours, &queued); /* it waits rightly: all slots are taken, or nodes are down */
		else
			fail("%s, step %ld: the waiter was not served", name, step);
	}
	if (score_unhold(ours, "127.0.0.1:1001") < 0)
		(void)0; /* it may be gone */
	while (n < 64 && score_claim(ours, &(struct score_arrival){ .client = "next" }, &slots[n], &target, NULL) == 0)
		n++;
	if (score_totals(ours, &totals) < 0)
		fail("%s, step %ld: no totals", name, step);
	if (totals.busy != n + n_held || totals.waiting != 0 ||
	    (n == 0 && n_held < SLOTS && totals.nodes_up == totals.nodes))
		fail("%s, step %ld: %u claimed and %u held, but %llu busy, %llu waiting", name, step, n, n_held,
		     (unsigned long long)totals.busy, (unsigned long long)totals.waiting);
	while (n > 0)
		if (score_release(ours, &slots[--n], 0, 0, true) < 0)
			fail("%s, step %ld: cannot release", name, step);
	while (n_held > 0)
		(void)score_release(ours, &held[--n_held], 0, 0, true);
	if (score_totals(ours, &totals) < 0 || totals.busy != 0)
		fail("%s, step %ld: %llu slots are still taken", name, step, (unsigned long long)totals.busy);
	check_sound(name, step);
}

static void child(const struct operation *operation, long step, const int ready[static 2], const int go[static 2])
{
	struct stage stage = { 0 };
	struct score *s;
	char byte;

	/* Without these two ends the read below ends with the parent. */
	(void)close(ready[0]);
	(void)close(go[1]);
	if (score_open(path, NULL, &s) < 0)
		_exit(2);
	operation->before(s, &stage);
	(void)!write(ready[1], "r", 1);
	if (read(go[0], &byte, 1) != 1)
		_exit(3);
	steps_left = step;
	rings_in_row = 0;
	operation->counted(s, &stage);
	steps_left = -1;
	_exit(0);
}

/* Runs the operation in a child that dies at that step. false: the operation ended before that step. */
static bool run(const struct operation *operation, long step)
{
	int ready[2], go[2], status;
	char byte;
	pid_t pid;

	scene_open();
	hold(operation->held);
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		fail("pipe: %s", strerror(errno));
	/* tdb allows one context of a file in a process: the child opens its own. */
	ours = score_close(ours);
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0)
		child(operation, step, ready, go);
	if (score_open(path, NULL, &ours) < 0)
		fail("cannot open %s", path);
	(void)close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fail("%s: the child died too early", operation->name);
	if (operation->queued)
		queue_up(operation->before == before_corpses || operation->before == before_corpses_fair);
	for (unsigned i = 0; i < operation->released; i++) {
		n_held--;
		if (score_release(ours, &held[n_held], 0, 0, true) < 0)
			fail("%s: cannot release", operation->name);
	}
	(void)!write(go[1], "g", 1);
	(void)waitpid(pid, &status, 0);
	(void)close(ready[0]);
	(void)close(go[0]);
	(void)close(go[1]);
	check_served(operation->name, step);
	ours = score_close(ours);
	return WIFSIGNALED(status);
}

int main(int argc, char **argv)
{
	unsigned long all = 0;
	unsigned part = 0, parts = 1;

	if (argc != 2 && argc != 3) {
		(void)fprintf(stderr, "Usage: cbtest-death FILE [BEGIN | PART/PARTS]: only operations whose name begins with BEGIN,\n"
				      "or each PARTS-th of them\n");
		return 64;
	}
	path = argv[1];
	if (argc == 3 && sscanf(argv[2], "%u/%u", &part, &parts) == 2 && part >= 1 && part <= parts)
		argc = 2;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		unsigned long deaths = 0;

		if (i % parts != part % parts)
			continue;
		if (argc == 3 && strncmp(operations[i].name, argv[2], strlen(argv[2])) != 0)
			continue;
		for (when = BEFORE; when < MOMENTS; when++)
			for (long step = 1; run(&operations[i], step); step++)
				deaths++;
		(void)printf("%-26s %4lu deaths\n", operations[i].name, deaths);
		(void)fflush(stdout);
		all += deaths;
	}
	(void)printf("%lu deaths, the scoreboard was sound after each\n", all);
	(void)unlink(path);
	remove_kept();
	return 0;
}
