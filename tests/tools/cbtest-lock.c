/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-lock: tests the section of a scoreboard, from within.
 *
 *     cbtest-lock hold FILE           enters a section, says "held" and stays until SIGUSR1
 *     cbtest-lock stop FILE           as hold, but stops itself (SIGSTOP) there; says "left" after it was continued
 *     cbtest-lock tstp FILE           enters a section, has SIGTSTP sent to itself, leaves, says "left"
 *     cbtest-lock late FILE           claims a slot, says "held" and waits for SIGUSR1; releases the slot, enters a section,
 *                                     stays there for longer than a granted slot may be untaken, leaves, looks for processes
 *                                     that are late, and says which processes have slots that they have not taken
 *     cbtest-lock calls FILE          claims and releases 1,000 times while the kernel kills it for any system call
 *     cbtest-lock touched FILE LIST   how many records the largest section of each operation on the farm touches; LIST
 *                                     is a node list that is loaded among them; and for how many microseconds of this
 *                                     process's CPU time the operation held the lock at most, to read and not to judge by
 *     cbtest-lock reap FILE           reaps, and says how many records the largest section of that touched
 *     cbtest-lock apart FILE N SECONDS   N processes enter sections, and check that no other process is in a section
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "farm/section.h"
#include "scoreboard.h"
#include "store/lock.h"
#include "system/timespan.h"

static void fail(const char *what, int r)
{
	(void)fprintf(stderr, "cbtest-lock: %s: %s\n", what, score_strerror(r));
	_exit(1);
}

static struct score *open_it(const char *path)
{
	struct score *s;
	int r = score_open(path, NULL, &s);

	if (r < 0)
		fail(path, r);
	return s;
}

static void say(const char *word)
{
	(void)printf("%s\n", word);
	(void)fflush(stdout);
}

static int enter_and(const char *path, int signal_number)
{
	struct score *s = open_it(path);
	struct farm *farm;
	sigset_t set;
	int number, r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	score_defer_stop();
	r = farm_enter_untold(s, &farm);
	if (r < 0)
		fail("enter", r);
	say("held");
	if (signal_number)
		(void)raise(signal_number);
	else
		(void)sigwait(&set, &number);
	farm_leave(s);
	say("left");
	(void)score_close(s);
	return 0;
}

static int say_granted(const struct score_slot_info *slot, void *arg)
{
	(void)arg;
	if (!slot->taken)
		(void)printf("granted to %ld\n", (long)slot->pid);
	return 0;
}

static int be_late(const char *path)
{
	struct score *s = open_it(path);
	struct score_target target;
	struct score_slot slot;
	struct farm *farm;
	uint64_t end_usec;
	sigset_t set;
	int number, r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r = score_claim(s, &(struct score_arrival){ .client = "127.0.0.1:1" }, &slot, &target, NULL);
	if (r != 0)
		fail("claim", r);
	say("held");
	(void)sigwait(&set, &number);
	r = score_release(s, &slot, 0, 0, true);
	if (r == 0)
		r = farm_enter_untold(s, &farm);
	if (r < 0)
		fail("enter", r);
	for (end_usec = now_monotonic() + SCORE_GRANT_USEC + SCORE_GRANT_USEC / 10; now_monotonic() < end_usec;)
		(void)usleep(1000);
	farm_leave(s);
	r = score_reap(s, NULL, NULL);
	if (r == 0)
		r = score_each_slot(s, say_granted, NULL);
	if (r < 0)
		fail("look", r);
	say("left");
	(void)score_close(s);
	return 0;
}

#define PAIRS 1000

/* From now on any system call but write(2) and the end of the process ends it by SIGSYS. (Strict mode is not used: it
 * forbids the clock, too, which is no system call.) */
static int forbid_calls(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(program) / sizeof(*program), .filter = program };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 ? -errno : 0;
}

static int without_calls(const char *path)
{
	struct score *s = open_it(path);
	struct score_target target;
	struct score_slot slot;
	char text[64];

	for (int i = 0; i < PAIRS + 100; i++) {
		int r;

		if (i == 100 && forbid_calls() < 0)
			fail("prctl", -errno);
		r = score_claim(s, &(struct score_arrival){ .client = "127.0.0.1:1" }, &slot, &target, NULL);
		if (r == 0)
			r = score_release(s, &slot, 10, 20, true);
		if (r != 0) {
			(void)snprintf(text, sizeof(text), "outcome %d\n", r);
			(void)!write(STDERR_FILENO, text, strlen(text));
			(void)syscall(SYS_exit, 1);
		}
	}
	(void)snprintf(text, sizeof(text), "%d claims and releases without a system call\n", PAIRS);
	(void)!write(STDOUT_FILENO, text, strlen(text));
	(void)syscall(SYS_exit, 0);
	return 1;
}

/* ---- how much is done in one section ---- */

static bool is_timed; /* else a section makes no system call */
static uint64_t taken_usec, held_usec; /* when the lock was taken; how long it was held at most */

static uint64_t cpu_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* The linker's --wrap puts these between the store and its lock. */
int __real_lock_take(struct lock *lock);
int __wrap_lock_take(struct lock *lock);
int __wrap_lock_take(struct lock *lock)
{
	int r = __real_lock_take(lock);

	if (is_timed)
		taken_usec = cpu_usec();
	return r;
}

bool __real_lock_leave(struct lock *lock);
bool __wrap_lock_leave(struct lock *lock);
bool __wrap_lock_leave(struct lock *lock)
{
	uint64_t usec = is_timed ? cpu_usec() - taken_usec : 0;

	held_usec = usec > held_usec ? usec : held_usec;
	return __real_lock_leave(lock);
}

static int ignore_node(const struct score_node *node, void *arg)
{
	if (!*(char *)arg)
		(void)memcpy(arg, node->config.name, sizeof(node->config.name));
	return 0;
}

static int ignore_slot(const struct score_slot_info *slot, void *arg)
{
	(void)slot;
	(void)arg;
	return 0;
}

static int ignore_ticket(const struct score_ticket_info *ticket, void *arg)
{
	(void)ticket;
	(void)arg;
	return 0;
}

/* Counts an operation by itself: the scoreboard is opened anew for it. */
static void count_one(const char *path, const char *name, int (*operation)(struct score *s))
{
	struct score *s = open_it(path);
	int r;

	held_usec = 0;
	is_timed = true;
	r = operation(s);
	if (r < 0)
		fail(name, r);
	(void)printf("%s %u %llu\n", name, store_most_touched(s->store), (unsigned long long)held_usec);
	(void)score_close(s);
}

static char a_node[NODE_NAME_MAX + 1];

static int do_list(struct score *s)
{
	return score_each_node(s, ignore_node, a_node);
}

static int do_fsck(struct score *s)
{
	unsigned findings;
	int r = score_fsck(s, false, NULL, NULL, &findings);

	return r == 0 && findings > 0 ? -EUCLEAN : r;
}

static int do_slots(struct score *s)
{
	return score_each_slot(s, ignore_slot, NULL);
}

static int do_queue(struct score *s)
{
	return score_each_ticket(s, ignore_ticket, NULL);
}

static int do_totals(struct score *s)
{
	struct score_totals totals;

	return score_totals(s, &totals);
}

static int do_explain(struct score *s)
{
	struct score_choice choice;

	return score_explain(s, POLICY_FASTEST, NULL, &choice, ignore_node, a_node);
}

static int do_hold(struct score *s)
{
	return score_hold(s, a_node, "test");
}

static int do_unhold(struct score *s)
{
	return score_unhold(s, a_node);
}

static int do_reap(struct score *s)
{
	return score_reap(s, NULL, NULL);
}

static int do_age(struct score *s)
{
	return score_age(s);
}

static int do_claim(struct score *s)
{
	struct score_target target;
	struct score_slot slot;
	int r = score_claim(s, &(struct score_arrival){ .client = "127.0.0.1:1" }, &slot, &target, NULL);

	return r == 0 ? score_release(s, &slot, 1, 1, true) : r;
}

static struct nodelist other;

/* Edits a node that comes, changes and goes. */
static int edit(struct score *s, int what, uint32_t cores, double speed, const char *fields)
{
	struct score_edit edit = { .what = what, .config = {
		.host = "127.78.1.1", .port = 4001, .cores = cores, .speed = speed, .name = "127.78.1.1:4001",
	} };

	if (fields)
		edit.fields = field_bit(field_find(fields, strlen(fields)));
	return score_edit(s, &edit, NULL);
}

static int do_add(struct score *s)
{
	return edit(s, EDIT_ADD, 2, 0, NULL);
}

static int do_set(struct score *s)
{
	return edit(s, EDIT_SET, 2, 1.5, "speed");
}

static int do_resize(struct score *s)
{
	return edit(s, EDIT_SET, 20, 0, "cores");
}

static int do_remove(struct score *s)
{
	return edit(s, EDIT_REMOVE, 2, 0, NULL);
}

static int do_remove_first(struct score *s)
{
	struct score_edit edit = { .what = EDIT_REMOVE };

	(void)memcpy(edit.config.name, a_node, sizeof(a_node));
	return score_edit(s, &edit, NULL);
}

#define WAITERS 300

/* The farm goes on after many connections have come. */
static int do_resume(struct score *s)
{
	static struct score_ticket tickets[WAITERS];
	int r = score_pause(s, true);

	for (int i = 0; r >= 0 && i < WAITERS; i++)
		r = score_join(s, &(struct score_arrival){ .client = "127.0.0.1:1" }, &tickets[i]);
	return r < 0 ? r : score_pause(s, false);
}

static int do_load(struct score *s)
{
	return score_load(s, &other, NULL);
}

static int count_touched(const char *path, const char *list)
{
	if (nodelist_read(list, &other) < 0 || other.n_errors > 0)
		fail(list, -EINVAL);
	other.adopt = true;
	count_one(path, "list", do_list);
	count_one(path, "fsck", do_fsck);
	count_one(path, "slots", do_slots);
	count_one(path, "queue", do_queue);
	count_one(path, "totals", do_totals);
	count_one(path, "explain", do_explain);
	count_one(path, "hold", do_hold);
	count_one(path, "unhold", do_unhold);
	count_one(path, "reap", do_reap);
	count_one(path, "age", do_age);
	count_one(path, "claim", do_claim);
	count_one(path, "add", do_add);
	count_one(path, "set", do_set);
	count_one(path, "resize", do_resize);
	count_one(path, "remove", do_remove);
	count_one(path, "remove-first", do_remove_first);
	count_one(path, "load", do_load);
	count_one(path, "resume", do_resume);
	nodelist_clear(&other);
	return 0;
}

struct shared {
	atomic_uint inside;   /* the pid of the process that is in a section */
	atomic_ulong sections, violations, failures;
};

static void enter_often(const char *path, struct shared *shared, uint64_t until_usec)
{
	unsigned self = (unsigned)getpid();

	while (now_boottime() < until_usec) {
		struct score *s;
		int r = score_open(path, NULL, &s);

		if (r < 0) {
			(void)atomic_fetch_add(&shared->failures, 1);
			continue;
		}
		for (int i = 0; i < 300 && now_boottime() < until_usec; i++) {
			struct farm *farm;

			r = farm_enter_untold(s, &farm);
			if (r < 0) {
				(void)atomic_fetch_add(&shared->failures, 1);
				continue;
			}
			if (atomic_exchange(&shared->inside, self) != 0)
				(void)atomic_fetch_add(&shared->violations, 1);
			for (int spin = 0; spin < 200; spin++)
				__asm__ volatile("" ::: "memory");
			if (i % 50 == 0)
				(void)sched_yield();
			if (atomic_exchange(&shared->inside, 0) != self)
				(void)atomic_fetch_add(&shared->violations, 1);
			(void)atomic_fetch_add(&shared->sections, 1);
			farm_leave(s);
		}
		(void)score_close(s);
	}
	_exit(0);
}

static int keep_apart(const char *path, unsigned n, double seconds)
{
	uint64_t until_usec = now_boottime() + (uint64_t)(seconds * 1e6);
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, bad = 0;

	if (shared == MAP_FAILED)
		return 71;
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0)
			enter_often(path, shared, until_usec);
		if (pid < 0)
			return 71;
	}
	while (wait(&status) > 0)
		bad += status != 0;
	(void)printf("sections %lu violations %lu failures %lu died %d\n", atomic_load(&shared->sections),
		     atomic_load(&shared->violations), atomic_load(&shared->failures), bad);
	return bad || atomic_load(&shared->violations) ? 1 : 0;
}

static int reap(const char *path)
{
	struct score *s = open_it(path);
	int r = score_reap(s, NULL, NULL);

	if (r < 0)
		fail("reap", r);
	(void)printf("%u\n", store_most_touched(s->store));
	(void)score_close(s);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";

	if (argc == 3 && strcmp(what, "hold") == 0)
		return enter_and(path, 0);
	if (argc == 3 && strcmp(what, "stop") == 0)
		return enter_and(path, SIGSTOP);
	if (argc == 3 && strcmp(what, "tstp") == 0)
		return enter_and(path, SIGTSTP);
	if (argc == 3 && strcmp(what, "late") == 0)
		return be_late(path);
	if (argc == 3 && strcmp(what, "reap") == 0)
		return reap(path);
	if (argc == 3 && strcmp(what, "calls") == 0)
		return without_calls(path);
	if (argc == 4 && strcmp(what, "touched") == 0)
		return count_touched(path, argv[3]);
	if (argc == 5 && strcmp(what, "apart") == 0)
		return keep_apart(path, (unsigned)atoi(argv[3]), atof(argv[4]));
	(void)fprintf(stderr, "Usage: cbtest-lock hold|stop|tstp|late|reap|calls FILE, cbtest-lock touched FILE LIST, "
		      "cbtest-lock apart FILE N SECONDS\n");
	return 64;
}
