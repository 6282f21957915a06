/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * lock.c: a mutex in a page beside the scoreboard, and a word in the scoreboard.
 *
 * The page, PATH.lock, is mapped by every process and holds a mutex
 * (mutex.h). Taking the mutex costs no system call while it is free. A process that
 * finds it taken sleeps in the kernel. A process that takes it after its holder died
 * is told so. But a file beside another can be removed,
 * replaced, cut short, written over, copied, or be found under another name. Then
 * two processes would have two mutexes for one scoreboard.
 *
 * So the page alone decides nothing. The header of the scoreboard's own file
 * has one word, in bytes that tdb always leaves alone: 0, or the process that
 * is in the section, by its pid and start time. A process that has the mutex
 * writes itself into the word by one compare-and-swap. Only that makes the
 * process the holder. The word is part of the file that it protects: all
 * processes that have the file open agree on it, whatever page each of them
 * has, or none. Normally the word is 0 when a process has the mutex. If the
 * word names another process:
 *   - that process has died (the mutex or /proc says so): the word is taken
 *     over, and the caller is told;
 *   - that process lives: it came by another page. Then the word is polled.
 *
 * Nothing but speed depends on the page, so it is thrown away whenever there is
 * a doubt about it: the scoreboard does not trust the page's owner, the page
 * was copied or written over, is of another boot, or its mutex is held while no
 * process is in the section. Another page gets its name. A process that has the old
 * page finds it retired, or looks for the page once in a while (lock_look()). Where no
 * page can be made (in a folder that may not be written to, by a process that may open
 * no file any more), or the kernel does not tell of a dead owner, the word alone is
 * the lock.
 *
 * The other way round, what happens to the scoreboard's file does not happen to
 * the page: while the word cannot be read, or was written over, the mutex
 * keeps all processes apart.
 *
 * A word that is RETIRED stays so: another file has taken this file's place.
 *
 * A second word in the header says until when the lock was last held for long.
 * While a process is held up within its section, those that wait for the lock are
 * not idle of their own will: what they are late with does not count (farm/reap.c).
 */

#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mutex.h"
#include "system/fault.h"
#include "system/folder.h"
#include "system/holder.h"
#include "system/timespan.h"

#define PAGE_FORMAT 2u
#define PAGE_SIZE 4096
#define HEADER_SIZE 168        /* of tdb, which keeps the end of it in reserve: LOCK_WORD_AT */
#define RETIRED UINT64_MAX
#define SLICE_USEC 100000L     /* a wait is looked at so often */
#define POLL_NSEC 200000L      /* how often the word is looked at while it names another process */
#define PAGES_MAX 4u           /* so many bad pages in a row are enough: the lock works without a page */

/* The page, as it lies in its file. */
struct page {
	char magic[16];
	uint32_t format, reserved;
	uint64_t device, inode;    /* of the page's own file: a copy of the file is no page */
	uint8_t boot[16];          /* a mutex that was held when the machine went down stays held */
	_Atomic uint32_t retired;  /* another page is to be used */
	_Atomic uint32_t life;     /* of the scoreboard that it was last used for, see store.c */
	_Alignas(64) struct mutex mutex;
	_Alignas(64) _Atomic uint64_t applied, unapplied; /* see lock_applied(); the same with all bits turned */
};

_Static_assert(sizeof(struct page) <= PAGE_SIZE, "a page is one page");

struct lock {
	const struct folder *folder;
	char *name;                /* the page's, in the folder */
	struct page *page;         /* NULL: none */
	char *header;              /* the scoreboard's first bytes */
	_Atomic uint64_t *word;    /* in them */
	_Atomic uint64_t *until;   /* in them: see lock_held_until() */
	uint64_t self;             /* what this process writes there */
	struct holder holder;      /* this process */
	uint32_t tid;              /* this thread, as the mutex names it */
	bool is_torn;              /* the header was not there when the lock was taken */
	bool is_heir;              /* the process that had the lock before died with it */
	uint64_t taken_usec;       /* when it was taken: now_coarse() */
	struct stat file;          /* the scoreboard, as it was opened */
};

static void (*on_wait)(const struct lock_wait *wait);
static bool (*on_slice)(void);
static volatile sig_atomic_t busy, stop_wanted;

void lock_on_wait(void (*tell)(const struct lock_wait *wait), bool (*is_ended)(void))
{
	on_wait = tell;
	on_slice = is_ended;
}

/* ---- stopping ---- */

/*
 * Sends SIGTSTP to this process by a timer, for a relay, which may not call tgkill(2): by its arguments the kernel could
 * not tell the relay's own pid from another process's. Returns whether the timer must be deleted when the signal has come.
 */
static bool signal_by_timer(timer_t *ret)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTSTP };
	const struct itimerspec at_once = { .it_value.tv_nsec = 1 };
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (timer_create(CLOCK_MONOTONIC, &event, ret) < 0)
		return false;
	(void)timer_settime(*ret, 0, &at_once, NULL);
	(void)nanosleep(&pause, NULL); /* far longer than a timer takes that is due */
	return true;
}

/* Stops this process as if SIGTSTP had not been caught. */
static void stop_now(void)
{
	struct sigaction ours, standard = { .sa_handler = SIG_DFL };
	bool by_timer = false;
	sigset_t set, before;
	timer_t timer;

	stop_wanted = 0;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTSTP);
	(void)sigaction(SIGTSTP, &standard, &ours);
	if (raise(SIGTSTP) != 0)
		by_timer = signal_by_timer(&timer);
	(void)sigprocmask(SIG_UNBLOCK, &set, &before);
	/* The process is stopped here, until another process continues it. */
	if (by_timer)
		(void)timer_delete(timer);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)sigaction(SIGTSTP, &ours, NULL);
}

static void on_stop(int number)
{
	int error = errno;

	(void)number;
	if (busy)
		stop_wanted = 1;
	else
		stop_now();
	errno = error;
}

void lock_defer_stop(void)
{
	struct sigaction action = { .sa_handler = on_stop, .sa_flags = SA_RESTART }, before;

	if (sigaction(SIGTSTP, NULL, &before) < 0 || before.sa_flags & SA_SIGINFO || before.sa_handler != SIG_DFL)
		return;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGTSTP, &action, NULL);
}

/* ---- the page ---- */

/* Whether the page has not been written over. */
static bool is_whole(const struct page *page)
{
	return memcmp(page->magic, "corebalance lock", sizeof(page->magic)) == 0 && page->format == PAGE_FORMAT;
}

static bool is_page(const struct page *page, const struct stat *st, const struct holder *self)
{
	return is_whole(page) && page->device == st->st_dev && page->inode == st->st_ino &&
	       memcmp(page->boot, self->boot, sizeof(page->boot)) == 0 && !page->retired;
}

static struct page *map_page(int fd)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

/* Opens the file that has the page's name, if it can be believed. A descriptor, and what fstat(2) says; or -errno. */
static int open_page(const struct lock *lock, struct stat *ret)
{
	int found, fd, r = folder_find(lock->folder, lock->name, &found, ret);

	if (r < 0)
		return r;
	r = folder_trusts(lock->folder, ret);
	if (r == 0 && ret->st_size != PAGE_SIZE)
		r = -EBADMSG;
	fd = r < 0 ? r : folder_open_file(lock->folder, lock->name, found, O_RDWR);
	(void)close(found);
	return fd;
}

/* Finds the page. 0; -ENOENT; or another -errno if the file of its name is no good page. */
static int find_page(struct lock *lock)
{
	struct page *page;
	struct stat st;
	int fd = open_page(lock, &st), r = 0;

	if (fd < 0)
		return fd;
	page = map_page(fd);
	(void)close(fd);
	if (!page)
		return -ENOMEM;
	fault_begin();
	if (!is_page(page, &st, &lock->holder))
		r = -EBADMSG;
	if (fault_end())
		r = -EBADMSG;
	if (r < 0)
		(void)munmap(page, PAGE_SIZE);
	else
		lock->page = page;
	return r;
}

static void init_page(const struct lock *lock, const struct stat *st, struct page *page)
{
	(void)memcpy(page->magic, "corebalance lock", sizeof(page->magic));
	page->format = PAGE_FORMAT;
	page->device = st->st_dev;
	page->inode = st->st_ino;
	(void)memcpy(page->boot, lock->holder.boot, sizeof(page->boot));
}

/* Makes a whole page in the file, for all users that may change the scoreboard. */
static int fill_page(const struct lock *lock, int fd)
{
	struct page *page;
	struct stat st;
	int r;

	r = -posix_fallocate(fd, 0, PAGE_SIZE); /* else a full file system shows only when the page is touched */
	if (r == 0 && (fstat(fd, &st) < 0 || fchmod(fd, lock->file.st_mode & 0660) < 0))
		r = -errno;
	if (r < 0)
		return r;
	if (lock->file.st_gid != st.st_gid)
		(void)!fchown(fd, (uid_t)-1, lock->file.st_gid); /* if not in that group, this user alone has the page */
	page = map_page(fd);
	if (!page)
		return -ENOMEM;
	init_page(lock, &st, page);
	(void)munmap(page, PAGE_SIZE);
	return 0;
}

/* Makes a page and gives it the name; with instead, in place of the bad page that has the name. Of several processes
 * that do so at once, one wins. 0 or -errno. */
static int make_page(const struct lock *lock, bool instead)
{
	struct folder_file file;
	int r = folder_welcomes(lock->folder); /* else no process would believe the page */

	if (r == 0)
		r = folder_make(lock->folder, &file);
	if (r < 0)
		return r;
	r = fill_page(lock, file.fd);
	if (r == 0)
		r = instead ? folder_replace(lock->folder, &file, lock->name) : folder_publish(lock->folder, &file, lock->name);
	folder_file_close(lock->folder, &file);
	return r == -EEXIST ? 0 : r;
}

/* Finds the page, or makes it. For a lock without a page see the head of this file. */
static void attach(struct lock *lock)
{
	struct folder_stay stay;

	if (!mutex_ready() || folder_enter(lock->folder, &stay) < 0)
		return;
	for (unsigned i = 0; i < PAGES_MAX; i++) {
		int r = find_page(lock);

		if (r == 0 || make_page(lock, r != -ENOENT) < 0)
			break;
	}
	folder_leave(&stay);
}

static void detach(struct lock *lock)
{
	if (lock->page)
		(void)munmap(lock->page, PAGE_SIZE);
	lock->page = NULL;
}

/* Tells all processes that have the page mapped that another page is to be used. */
static void retire_page(struct lock *lock)
{
	fault_begin();
	lock->page->retired = 1;
	(void)fault_end();
}

/* Lets go of a page that was cut short or written over. */
static void abandon(struct lock *lock)
{
	mutex_forget();
	retire_page(lock);
	detach(lock);
}

/* ---- the process in the section ---- */

static uint64_t word_of(const struct holder *holder)
{
	return holder->start << 32 | holder->pid;
}

/* The process that a word names, if it lives. */
static bool is_alive(const struct lock *lock, uint64_t word, struct holder *ret)
{
	uint32_t pid = (uint32_t)word;

	if (word == lock->self || pid == 0 || pid > INT32_MAX)
		return false; /* this process does not hold the lock yet: its own word is a left-over, or garbage */
	return holder_of((pid_t)pid, ret) &&
	       (ret->start == 0 || word >> 32 == 0 || word >> 32 == (uint32_t)ret->start); /* 0: unknown */
}

void lock_after_fork(struct lock *lock, const struct holder *self)
{
	lock->holder = *self;
	lock->self = word_of(self);
	lock->tid = (uint32_t)gettid();
}

/* ---- waiting ---- */

struct wait {
	uint64_t since_usec, next_usec; /* CLOCK_BOOTTIME; when the wait is looked at next */
	bool told;
};

static struct wait wait_begin(void)
{
	uint64_t now_usec = now_boottime();

	return (struct wait){ .since_usec = now_usec, .next_usec = now_usec + SLICE_USEC };
}

static uint64_t waited_usec(const struct wait *wait)
{
	return now_boottime() - wait->since_usec;
}

/* Says which process has the lock, and continues a process that was stopped with it. */
static void look_at_holder(struct lock *lock, struct wait *wait)
{
	struct lock_wait said = { .waited_usec = waited_usec(wait) };
	struct holder holder;

	if (is_alive(lock, atomic_load(lock->word), &holder)) {
		said.pid = (pid_t)holder.pid;
		said.stopped = holder_is_stopped(&holder, said.name);
		/* The word is read anew: that process may have left meanwhile, and another may have its pid. */
		if (said.stopped && is_alive(lock, atomic_load(lock->word), &holder) && (pid_t)holder.pid == said.pid &&
		    kill(said.pid, SIGCONT) < 0)
			said.woken = -errno;
	}
	if (!wait->told && on_wait)
		on_wait(&said);
	wait->told = true;
}

/* Does what a waiting process has to do once in a slice of its wait, with the mutex or without it. 0, or -EINTR. */
static int be_patient(struct lock *lock, struct wait *wait, bool with_mutex)
{
	uint64_t now_usec = now_boottime();

	if (now_usec < wait->next_usec)
		return 0;
	wait->next_usec = now_usec + SLICE_USEC;
	if (stop_wanted && !with_mutex) {
		busy = 0;
		stop_now();
		busy = 1;
	}
	if (on_slice && on_slice())
		return -EINTR;
	if (now_usec - wait->since_usec >= LOCK_TELL_USEC)
		look_at_holder(lock, wait);
	return 0;
}

/* Waits for the mutex, and takes it. 0; -EOWNERDEAD, as mutex_try(); -EINTR; or -ENOTRECOVERABLE: the page is of no use any
 * more. */
static int wait_for_mutex(struct lock *lock)
{
	const struct timespec slice = { .tv_nsec = SLICE_USEC * 1000L };
	struct wait wait = wait_begin();
	struct holder holder;

	while (is_whole(lock->page)) {
		int r = mutex_wait(&lock->page->mutex, &slice);

		if (r < 0)
			return -ENOTRECOVERABLE;
		r = mutex_try(&lock->page->mutex, lock->tid, true);
		if (r != -EBUSY)
			return r;
		if (be_patient(lock, &wait, false) < 0)
			return -EINTR;
		/* The mutex is held for so long, and no process is in the section. */
		if (waited_usec(&wait) >= LOCK_TELL_USEC && !is_alive(lock, atomic_load(lock->word), &holder))
			return -ENOTRECOVERABLE;
	}
	return -ENOTRECOVERABLE;
}

static void leave_mutex(struct lock *lock)
{
	if (lock->page && (!is_whole(lock->page) || mutex_leave(&lock->page->mutex, lock->tid) < 0))
		abandon(lock);
}

/* Takes the mutex of a good page, if there can be a good page. 0; 1: the mutex's holder died; -EINTR. */
static int take_mutex(struct lock *lock)
{
	for (unsigned i = 0; lock->page; i++) {
		int r = is_whole(lock->page) ? mutex_try(&lock->page->mutex, lock->tid, false) : -ENOTRECOVERABLE;

		if (r == -EBUSY)
			r = wait_for_mutex(lock);
		if (r == -EINTR)
			return r;
		/* The file may have been cut short: then this mutex is in memory of this process alone by now. */
		if (r != -ENOTRECOVERABLE && is_whole(lock->page)) {
			if (!lock->page->retired)
				return r == -EOWNERDEAD;
			leave_mutex(lock);
			detach(lock);
		} else {
			abandon(lock);
		}
		if (i < PAGES_MAX)
			attach(lock);
	}
	return 0;
}

/* Writes this process into the word. 0; 1: in place of a process that died; -ESTALE; -EINTR. */
static int take_word(struct lock *lock)
{
	struct timespec pause = { .tv_nsec = POLL_NSEC };
	struct wait wait = { .told = false };

	for (;;) {
		struct holder holder;
		uint64_t is = atomic_load(lock->word);
		int r;

		/* A retired file is not written any more, not even in vain: its last change says when it lost its name. */
		if (is == RETIRED)
			return -ESTALE;
		if (is == 0 && atomic_compare_exchange_strong(lock->word, &is, lock->self))
			return 0;
		if (is == RETIRED || is == 0)
			continue;
		if (!is_alive(lock, is, &holder)) {
			if (atomic_compare_exchange_strong(lock->word, &is, lock->self))
				return 1;
			continue;
		}
		if (wait.since_usec == 0)
			wait = wait_begin();
		(void)nanosleep(&pause, NULL);
		r = be_patient(lock, &wait, true);
		if (r < 0)
			return r;
	}
}

/* ---- taking and leaving ---- */

static bool end(void)
{
	bool seen = fault_end();

	busy = 0;
	if (stop_wanted)
		stop_now();
	return seen;
}

int lock_take(struct lock *lock)
{
	int died, r;

	if (busy)
		abort(); /* a section within a section: it would wait for itself */
	busy = 1;
	fault_begin();
	died = r = take_mutex(lock);
	if (r >= 0) {
		r = take_word(lock);
		if (r < 0)
			leave_mutex(lock);
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
	struct holder holder;
	uint64_t is = lock->self;

	while (!atomic_compare_exchange_strong(lock->word, &is, lock->self))
		if (is == RETIRED || is_alive(lock, is, &holder))
			return false;
	return true;
}

/* Notes in the file that the lock was held for long, if it was: by this process, or by a process that died. */
static void note_hold(struct lock *lock)
{
	uint64_t now_usec = now_coarse();

	if (lock->is_heir || now_usec - lock->taken_usec > LOCK_LONG_USEC)
		atomic_store(lock->until, now_usec);
}

uint64_t lock_held_until(const struct lock *lock)
{
	return atomic_load(lock->until);
}

void lock_begin(int fd)
{
	const uint64_t now_usec = now_coarse();

	(void)!pwrite(fd, &now_usec, sizeof(now_usec), LOCK_UNTIL_AT); /* without it a granted slot may count as late too early */
}

bool lock_leave(struct lock *lock)
{
	uint64_t is = lock->self;

	note_hold(lock);
	/* Only this process's word is cleared: the word may be RETIRED, or have been written over. */
	(void)atomic_compare_exchange_strong(lock->word, &is, 0);
	leave_mutex(lock);
	return end() || lock->is_torn;
}

void lock_retire(struct lock *lock)
{
	atomic_store(lock->word, RETIRED);
}

/* A page that was cut short is a page of zeros from here on. It says nothing of the scoreboard: no fault is noted. */
uint16_t lock_life(const struct lock *lock)
{
	bool so_far = fault_seen();
	uint16_t life = lock->page ? (uint16_t)lock->page->life : 0;

	if (!so_far)
		(void)fault_clear();
	return life;
}

void lock_set_life(struct lock *lock, uint16_t life)
{
	bool so_far = fault_seen();

	if (lock->page)
		lock->page->life = life;
	if (!so_far)
		(void)fault_clear();
}

uint64_t lock_applied(const struct lock *lock)
{
	bool so_far = fault_seen();
	uint64_t applied = lock->page ? lock->page->applied : 0;

	/* A process may have been killed between the two, or a stranger have written over them. */
	if (applied != 0 && lock->page->unapplied != ~applied)
		applied = 0;
	if (!so_far)
		(void)fault_clear();
	return applied;
}

void lock_set_applied(struct lock *lock, uint64_t applied)
{
	bool so_far = fault_seen();

	if (lock->page) {
		lock->page->applied = applied;
		lock->page->unapplied = ~applied;
	}
	if (!so_far)
		(void)fault_clear();
}

/* Whether the page that has the name is this process's page. 1 yes, 0 no, or -errno: that cannot be found out. */
static int is_named(const struct lock *lock)
{
	struct folder_stay stay;
	struct stat st;
	int fd, r = folder_enter(lock->folder, &stay);

	if (r < 0)
		return r;
	r = folder_find(lock->folder, lock->name, &fd, &st);
	if (r == 0) {
		fault_begin();
		r = folder_trusts(lock->folder, &st) == 0 && st.st_size == PAGE_SIZE &&
		    is_page(lock->page, &st, &lock->holder);
		r = !fault_end() && r == 1;
		(void)close(fd);
	} else if (r == -ENOENT || r == -ELOOP || r == -EBADMSG) {
		r = 0;
	}
	folder_leave(&stay);
	return r;
}

void lock_look(struct lock *lock)
{
	/* A process that may not look must not take a good page from the others. */
	if (lock->page && is_named(lock) != 0)
		return;
	if (lock->page)
		retire_page(lock);
	detach(lock);
	attach(lock);
}

/* ---- opening ---- */

static char *page_name(const struct folder *folder)
{
	char *name;

	return asprintf(&name, "%s.lock", folder->name) < 0 ? NULL : name;
}

bool lock_has_page(const struct folder *folder)
{
	char *name = page_name(folder);
	struct stat st;
	bool has = name && fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

	free(name);
	return has;
}

int lock_open(const struct folder *folder, int fd, struct lock **ret)
{
	struct lock *lock = calloc(1, sizeof(*lock));
	struct holder self;
	void *header;

	if (!lock)
		return -ENOMEM;
	holder_self(&self);
	lock_after_fork(lock, &self);
	lock->folder = folder;
	lock->name = page_name(folder);
	if (!lock->name) {
		(void)lock_close(lock);
		return -ENOMEM;
	}
	header = mmap(NULL, HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED || fstat(fd, &lock->file) < 0) {
		int r = -errno;

		(void)lock_close(lock);
		return r;
	}
	lock->header = header;
	lock->word = (_Atomic uint64_t *)(void *)(lock->header + LOCK_WORD_AT);
	lock->until = (_Atomic uint64_t *)(void *)(lock->header + LOCK_UNTIL_AT);
	attach(lock);
	*ret = lock;
	return 0;
}

struct lock *lock_close(struct lock *lock)
{
	if (!lock)
		return NULL;
	detach(lock);
	if (lock->header)
		(void)munmap(lock->header, HEADER_SIZE);
	free(lock->name);
	free(lock);
	return NULL;
}
