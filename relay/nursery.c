/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * nursery.c: relays are forked by clone(2) with CLONE_PARENT, which makes them
 * children of the nursery's parent. So the listener gets the SIGCHLD of a relay, and
 * a relay the signal of the listener's end (PR_SET_PDEATHSIG). fork(3) of the C
 * library cannot do that.
 * What it does besides is done here: the kernel is told where the child's thread
 * keeps its id, and where its list of robust futexes is, without which the end of
 * a relay that holds the scoreboard's lock would free no lock.
 *
 * The nursery has the scoreboard open, so it has a port and answers there that it
 * holds nothing. It blocks all signals, and its relays begin with all blocked. It
 * ends with the listener, or when the listener closes the socket. The listener kills
 * it when the scoreboard's file has become another, so it leaves damage to others: it
 * would be killed when it has rebuilt the scoreboard and has not said so.
 */

#include "nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "child.h"
#include "inherited.h"
#include "passing.h"
#include "report.h"
#include "system/holder.h"

#define NAME "cbrelay-nursery" /* in ps(1); relays have the name of the program */
#define NAME_SIZE 16
#define PLUGGED_MAX 128        /* numbers of descriptors that are made not free, at most */
#define ANSWER_SEC 2           /* a nursery that takes longer is stopped, or nearly so */

struct nursery {
	struct nursery_setup setup;
	pid_t pid;               /* 0: no process */
	int fd;                  /* our end of its socket */
	struct stat file;        /* the scoreboard's, when the process was forked */
	sd_event_source *child;
};

/* Comes with a descriptor for each relay. The answer is a pid for each, or -errno. */
struct request {
	size_t numbers[NURSERY_BIRTHS_MAX];
	pid_t *born[NURSERY_BIRTHS_MAX]; /* shared, and in the nursery at the same address */
	size_t reserved;         /* 1 or 0; no bool: the message would have bytes that were never set */
};

_Static_assert(NURSERY_BIRTHS_MAX <= PASSING_MAX, "an order is a message");

/* ---- the process ---- */

/* What relays need of the process that forks them. */
struct birth {
	char name[NAME_SIZE];    /* of the program */
	int *tid;                /* where the C library keeps the id of the thread; NULL: the kernel does not say */
	void *robust;            /* its list of robust futexes; NULL: it has none */
	size_t robust_size;
	uint64_t pass;           /* by which this process may fork, see confine.h */
};

static struct birth prepare_birth(void)
{
	struct birth birth = { .tid = NULL };

	(void)prctl(PR_GET_NAME, birth.name);
	if (prctl(PR_GET_TID_ADDRESS, &birth.tid) < 0)
		birth.tid = NULL;
	if (syscall(SYS_get_robust_list, 0, &birth.robust, &birth.robust_size) < 0)
		birth.robust = NULL;
	return birth;
}

/* Forks a child of this process's parent: its pid, 0 in the child, or -errno. *born has
 * the pid of each child that runs, whenever this process is killed. */
static pid_t fork_sister(struct birth *birth, pid_t *born)
{
	unsigned long flags = CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD | (birth->tid ? CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID : 0);
	long pid = syscall(SYS_clone, flags, NULL, born, birth->tid, birth->pass);

	if (pid == 0)
		explicit_bzero(&birth->pass, sizeof(birth->pass));
	if (pid == 0 && birth->robust)
		(void)syscall(SYS_set_robust_list, birth->robust, birth->robust_size);
	if (pid == 0)
		(void)prctl(PR_SET_NAME, birth->name);
	return pid < 0 ? -errno : (pid_t)pid;
}

/* In a relay: closes the nursery's socket, and the first n descriptors of an order, which are its sisters'. */
static void close_foreign(int fd, const int *orders, size_t n)
{
	bool in_a_row = true;

	for (size_t i = 0; i < n; i++)
		in_a_row &= orders[i] == fd + 1 + (int)i;
	if (in_a_row) {
		(void)close_range((unsigned)fd, (unsigned)fd + (unsigned)n, 0);
		return;
	}
	(void)close(fd);
	for (size_t i = 0; i < n; i++)
		(void)close(orders[i]);
}

/* Serves a request. false: the listener has closed its end, or cannot be understood. */
static bool serve(const struct nursery_setup *setup, struct birth *birth, int fd)
{
	struct request request;
	int orders[PASSING_MAX];
	pid_t pids[NURSERY_BIRTHS_MAX];
	size_t n;
	int r = passing_receive_many(fd, &request, sizeof(request), orders, &n);

	if (r <= 0 || n > NURSERY_BIRTHS_MAX)
		return r == -EAGAIN || r == -EINTR;
	for (size_t i = n; i-- > 0;) {
		holder_fork_begins();
		pids[i] = fork_sister(birth, request.born[i]);
		if (pids[i] == 0) {
			close_foreign(fd, orders, i);
			_exit(setup->live(request.numbers[i], orders[i], request.reserved, setup->arg));
		}
		(void)close(orders[i]);
	}
	return send(fd, pids, n * sizeof(*pids), MSG_NOSIGNAL) == (ssize_t)(n * sizeof(*pids));
}

/*
 * Moves the socket to the number behind all descriptors of this process, and fills the free numbers before it. The kernel
 * then gives the descriptors of an order the numbers behind the socket, in a row, and a relay closes the socket and its
 * sisters' descriptors by one call. If a call fails, or a number is PLUGGED_MAX or above (the listener had many waiters when it
 * opened the scoreboard anew), the socket stays where it is, and the relay closes them one by one. keep: the n descriptors of
 * this process, without the socket. Returns the socket's number.
 */
static int move_up(const struct score *score, int fd, const int *keep, size_t n)
{
	int others[SCORE_FDS_MAX], top = STDERR_FILENO, moved, plug;
	size_t n_others = score_fds(score, others);

	for (size_t i = 0; i < n; i++)
		top = keep[i] > top ? keep[i] : top;
	for (size_t i = 0; i < n_others; i++)
		top = others[i] > top ? others[i] : top;
	if (top >= PLUGGED_MAX)
		return fd;
	moved = fd == top + 1 ? fd : dup3(fd, top + 1, O_CLOEXEC);
	if (moved < 0)
		return fd;
	if (moved != fd)
		(void)close(fd);
	for (plug = eventfd(0, EFD_CLOEXEC); plug >= 0 && plug < moved;)
		plug = fcntl(plug, F_DUPFD_CLOEXEC, 0);
	if (plug > moved)
		(void)close(plug);
	return moved;
}

static _Noreturn void run(const struct nursery *nursery, int fd, pid_t parent)
{
	const struct nursery_setup *setup = &nursery->setup;
	int keep[NURSERY_KEPT_MAX + 1];
	size_t n = setup->keep(keep, setup->arg);
	struct birth birth = prepare_birth();
	struct pollfd fds[2];
	sigset_t all;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, NAME);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	keep[n] = fd;
	if (getppid() != parent || child_close_others(setup->score, keep, n + 1) < 0)
		_exit(EXIT_FAILURE);
	fd = move_up(setup->score, fd, keep, n);
	score_after_fork(setup->score);
	score_leave_repair(setup->score);
	(void)score_prepare(setup->score); /* if it fails, each relay finds out for itself */
	inherited_without_libraries();
	(void)malloc_trim(0); /* what the listener has freed would be in the tables of each relay's memory */
	setup->prepare(&birth.pass, setup->arg);
	fds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = score_wake_fd(setup->score), .events = POLLIN };
	score_answer(setup->score);
	do {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			(void)score_wake_clear(setup->score); /* answers that this process holds nothing */
	} while (!fds[0].revents || serve(setup, &birth, fd));
	_exit(EXIT_SUCCESS);
}

/* ---- the listener ---- */

static int on_child(sd_event_source *source, const siginfo_t *info, void *arg)
{
	struct nursery *nursery = arg;

	(void)source;
	report_message(LOG_WARNING, "the process that forks relays (%ld) has ended; another takes its place",
		       (long)info->si_pid);
	nursery->pid = 0; /* it has been waited for */
	nursery_renew(nursery);
	return 0;
}

static int start(struct nursery *nursery)
{
	const struct timeval most = { .tv_sec = ANSWER_SEC };
	pid_t parent = getpid();
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	holder_fork_begins();
	nursery->pid = fork();
	if (nursery->pid == 0)
		run(nursery, pair[1], parent);
	r = nursery->pid < 0 ? -errno : score_stat(nursery->setup.score, &nursery->file);
	(void)close(pair[1]);
	nursery->fd = pair[0];
	if (nursery->pid < 0)
		nursery->pid = 0;
	else if (r == 0)
		r = sd_event_add_child(nursery->setup.event, &nursery->child, nursery->pid, WEXITED, on_child, nursery);
	if (r < 0)
		nursery_renew(nursery);
	return r < 0 ? r : 0;
}

struct nursery *nursery_new(const struct nursery_setup *setup)
{
	struct nursery *nursery = calloc(1, sizeof(*nursery));

	if (nursery)
		*nursery = (struct nursery){ .setup = *setup, .fd = -1 };
	return nursery;
}

struct nursery *nursery_free(struct nursery *nursery)
{
	if (nursery)
		nursery_renew(nursery);
	free(nursery);
	return NULL;
}

void nursery_renew(struct nursery *nursery)
{
	nursery->child = sd_event_source_disable_unref(nursery->child);
	if (nursery->fd >= 0)
		(void)close(nursery->fd);
	nursery->fd = -1;
	/* Waited for, as the listening sockets are open in it, too. */
	if (nursery->pid > 0 && kill(nursery->pid, SIGKILL) == 0)
		(void)waitpid(nursery->pid, NULL, 0);
	nursery->pid = 0;
}

void nursery_follow(struct nursery *nursery)
{
	struct stat now;

	if (nursery->pid > 0 && (score_stat(nursery->setup.score, &now) < 0 || now.st_ino != nursery->file.st_ino ||
				 now.st_dev != nursery->file.st_dev))
		nursery_renew(nursery);
}

/* Whether a relay was made although no answer came; pid is what *born says, where relays can write, too. */
static bool is_born(pid_t pid)
{
	siginfo_t info;

	return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Has the process take an order. 0 or -errno. */
static int order(struct nursery *nursery, const struct nursery_birth *births, size_t n, bool reserved)
{
	struct request request = { .reserved = reserved };
	int orders[NURSERY_BIRTHS_MAX], r = -EPIPE;

	for (size_t i = 0; i < n; i++) {
		request.numbers[i] = births[i].number;
		request.born[i] = births[i].born;
		orders[i] = births[i].orders_fd;
	}
	/* A process that has just ended, of which no event has told yet, takes no request: the second takes it. */
	for (unsigned i = 0; r == -EPIPE && i < 2; i++) {
		r = nursery->pid > 0 ? 0 : start(nursery);
		if (r == 0)
			r = passing_send_many(nursery->fd, &request, sizeof(request), orders, n);
		if (r < 0)
			nursery_renew(nursery);
	}
	return r;
}

void nursery_fork(struct nursery *nursery, struct nursery_birth *births, size_t n, bool reserved)
{
	pid_t pids[NURSERY_BIRTHS_MAX];
	ssize_t size;
	int r;

	for (size_t i = 0; i < n; i++)
		*births[i].born = 0;
	nursery_follow(nursery);
	r = order(nursery, births, n, reserved);
	for (size_t i = 0; r < 0 && i < n; i++)
		births[i].pid = r;
	if (r < 0)
		return;
	do
		size = recv(nursery->fd, pids, sizeof(pids), 0);
	while (size < 0 && errno == EINTR);
	if (size == (ssize_t)(n * sizeof(*pids))) {
		for (size_t i = 0; i < n; i++)
			births[i].pid = pids[i];
		return;
	}
	r = size < 0 && errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
	nursery_renew(nursery); /* it has ended then: no relay is made any more */
	for (size_t i = 0; i < n; i++)
		births[i].pid = is_born(*births[i].born) ? *births[i].born : r;
}
