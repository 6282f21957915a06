/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * nursery.c: relays are forked by clone(2) with CLONE_PARENT, which makes them
 * children of the nursery's parent. So the listener learns of a relay's end as
 * before, and a relay of the listener's. fork(3) of the C library cannot do that.
 * What it does besides is done here: the kernel is told where the child's thread
 * keeps its id, and where its list of robust futexes is, without which the end of
 * a relay that holds the scoreboard's lock would free no lock.
 *
 * The nursery has the scoreboard open, so it has a port and answers there that it
 * holds nothing. It blocks all signals, and its relays begin with all blocked. It
 * ends with the listener, or when the listener closes the socket.
 */

#include "nursery.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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
#define ANSWER_SEC 2           /* a nursery that takes longer is stopped, or nearly so */

struct nursery {
	struct nursery_setup setup;
	pid_t pid;               /* 0: no process */
	int fd;                  /* our end of its socket */
	struct stat file;        /* the scoreboard's, when the process was forked */
	sd_event_source *child;
};

struct request {
	size_t number;
	pid_t *born;             /* shared, and in the nursery at the same address */
	size_t reserved;         /* 1 or 0; no bool: the message would have bytes that were never set */
};

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

/* Serves a request. false: the listener has closed its end, or cannot be understood. */
static bool serve(const struct nursery_setup *setup, struct birth *birth, int fd)
{
	struct request request;
	int orders_fd, r = passing_receive(fd, &request, sizeof(request), &orders_fd);
	pid_t pid;

	if (r <= 0)
		return r == -EAGAIN || r == -EINTR;
	holder_fork_begins();
	pid = fork_sister(birth, request.born);
	if (pid == 0) {
		(void)close(fd);
		_exit(setup->live(request.number, orders_fd, request.reserved, setup->arg));
	}
	(void)close(orders_fd);
	return send(fd, &pid, sizeof(pid), MSG_NOSIGNAL) == sizeof(pid);
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
	keep[n++] = fd;
	if (getppid() != parent || child_close_others(setup->score, keep, n) < 0)
		_exit(EXIT_FAILURE);
	score_after_fork(setup->score);
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

pid_t nursery_fork(struct nursery *nursery, size_t number, int orders_fd, bool reserved, pid_t *born)
{
	const struct request request = { .number = number, .born = born, .reserved = reserved };
	ssize_t n;
	pid_t pid;
	int r = -EPIPE;

	*born = 0;
	nursery_follow(nursery);
	/* A process that has just ended, of which no event has told yet, takes no request: the second takes it. */
	for (unsigned i = 0; r == -EPIPE && i < 2; i++) {
		r = nursery->pid > 0 ? 0 : start(nursery);
		if (r == 0)
			r = passing_send(nursery->fd, &request, sizeof(request), orders_fd);
		if (r < 0)
			nursery_renew(nursery);
	}
	if (r < 0)
		return r;
	do
		n = recv(nursery->fd, &pid, sizeof(pid), 0);
	while (n < 0 && errno == EINTR);
	if (n == sizeof(pid))
		return pid;
	r = n < 0 && errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
	nursery_renew(nursery); /* it has ended then: no relay is made any more */
	return is_born(*born) ? *born : r;
}
