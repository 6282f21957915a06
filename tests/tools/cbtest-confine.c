/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-confine FOLDER PID [listener|forked]: confines itself as a relay does that
 * serves alone, as a listener, or as a relay that a nursery has forked, with FOLDER
 * as the scoreboard's folder, and tries what an attacker inside it would try. PID is a process of the same user. It prints a line for each
 * attempt: its name, and "refused" or "done"; then the same for what it needs.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../relay/confine.h"

static pid_t other;
static const char *folder;

static void tell(const char *what, long r)
{
	(void)printf("%s: %s\n", what, r < 0 && (errno == EPERM || errno == EACCES) ? "refused" : r < 0 ? strerror(errno) : "done");
	(void)fflush(stdout);
}

static int open_in(const char *name, int flags)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

static long read_memory(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &folder, 1 };

	return process_vm_readv(other, &here, 1, &there, 1, 0);
}

static long open_of_other(const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)other, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Reads a file of the other process. The kernel may let it be opened, and give no bytes. */
static long read_of_other(const char *name)
{
	int fd = (int)open_of_other(name);
	char byte;
	ssize_t n = fd < 0 ? -1 : read(fd, &byte, 1);

	if (n == 0)
		errno = EPERM;
	return n > 0 ? 0 : -1;
}

static long bind_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return bind(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (const struct sockaddr *)&address, sizeof(address));
}

static long connect_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1) };
	long r = connect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (const struct sockaddr *)&address, sizeof(address));

	return r < 0 && errno == ECONNREFUSED ? 0 : r;
}

/* What is refused to a listener, too. */
static void attack_from_listener(void)
{
	static char program[] = "/bin/true";
	char *argv[] = { program, NULL };
	int pidfd = (int)syscall(SYS_pidfd_open, other, 0u);

	tell("exec", execv(program, argv));
	tell("exec by descriptor", syscall(SYS_execveat, open(program, O_PATH | O_CLOEXEC), "", argv, NULL, AT_EMPTY_PATH));
	tell("read memory", read_memory());
	tell("ptrace", ptrace(PTRACE_ATTACH, other, NULL, NULL));
	tell("take descriptor", syscall(SYS_pidfd_getfd, pidfd, 0, 0u));
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tell("memory that runs", memory == MAP_FAILED ? -1 : 0);
	tell("keyring", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	tell("kcmp", syscall(SYS_kcmp, other, getpid(), 0, 0, 0));
	tell("dumpable", prctl(PR_SET_DUMPABLE, 1));
	tell("namespace", unshare(CLONE_NEWUSER));
	tell("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
	tell("bpf", syscall(SYS_bpf, 0, NULL, 0));
	tell("page faults of its own", syscall(SYS_userfaultfd, 1));
}

/* Makes a process; pass: the number of its nursery, or a wrong one. */
static long clone_with(uint64_t pass)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, pass);

	if (pid == 0)
		_exit(0);
	return pid;
}

static void attack(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, other, 0u);

	attack_from_listener();
	tell("fork", syscall(SYS_fork));
	tell("clone", clone_with(0));
	tell("clone by a guess", clone_with(UINT64_C(0x7ead2ead7ead3ead)));
	tell("signal", kill(other, SIGTERM));
	tell("pidfd signal", syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0u));
	tell("thread signal", syscall(SYS_tgkill, other, other, SIGTERM));
	tell("signal by a descriptor", fcntl(pidfd, F_SETOWN, other));
	tell("open memory", open_of_other("mem"));
	tell("environment", read_of_other("environ"));
	tell("open /etc/passwd", open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	tell("make a file", open("/tmp/cbtest-confine", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	tell("listen", listen(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 1));
	tell("bus socket", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	tell("netlink socket", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
	tell("raw socket", socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static volatile sig_atomic_t got;

static void on_signal(int number)
{
	got = number;
}

/* Before Linux 6.4 a pipe does not have it. */
static long write_line(int fd)
{
	static char line[] = "\n";
	const struct iovec part = { line, 1 };
	long r = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);

	return r < 0 && errno == EOPNOTSUPP ? 0 : r;
}

/* As a relay of a nursery does it. */
static long signal_by_timer(int number)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
	const struct itimerspec at_once = { .it_value.tv_nsec = 1 };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 || timer_settime(timer, 0, &at_once, NULL) < 0)
		return -1;
	while (got != number)
		(void)poll(NULL, 0, 1);
	return timer_delete(timer);
}

static void work(bool forked)
{
	int pair[2] = { -1, -1 }, unsent;

	(void)signal(SIGTERM, on_signal);
	tell("scoreboard", open_in("file", O_RDWR));
	tell("new scoreboard", open_in(".", O_TMPFILE | O_RDWR));
	tell("stat", open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
	tell("stat of others", open_of_other("stat"));
	tell("is there", kill(other, 0));
	tell("connect", connect_tcp());
	tell("bind", bind_tcp());
	tell("wake", socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	tell("pipe", pipe2(pair, O_CLOEXEC | O_NONBLOCK));
	tell("line to a pipe", write_line(pair[1]));
	tell("bytes that are not sent", ioctl(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), SIOCOUTQNSD, &unsent));
	if (forked)
		tell("signal to itself", signal_by_timer(SIGTERM));
	else
		tell("signal to itself", raise(SIGTERM) == 0 && got == SIGTERM ? 0 : -1);
}

/* In a nursery: goes on as a relay of it, and leaves the nursery to wait for that. 0 in the relay, or -errno. */
static int become_forked(const struct confinement *confinement)
{
	uint64_t pass;
	int status, r = confine_nursery(confinement, &pass);
	long pid;

	if (r < 0)
		return r;
	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, pass);
	if (pid == 0)
		return confine_forked(confinement);
	if (pid < 0)
		return -errno;
	_exit(waitpid((pid_t)pid, &status, 0) != pid || status != 0);
}

/* A process that the listener forks binds itself as a relay. */
static long fork_relay(const struct confinement *confinement)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(confine(confinement) < 0);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

static void listen_and_fork(const struct confinement *confinement)
{
	tell("list of nodes", open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	int library = open("/bin/true", O_RDONLY | O_CLOEXEC);
	tell("library", mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, library, 0) == MAP_FAILED ? -1 : 0);
	tell("listen", listen(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 1));
	tell("relay", fork_relay(confinement));
	tell("signal", kill(other, SIGTERM));
}

int main(int argc, char **argv)
{
	struct confinement *confinement;
	bool is_listener = argc == 4 && strcmp(argv[3], "listener") == 0, is_forked = argc == 4 && strcmp(argv[3], "forked") == 0;
	int fd, r;

	if (argc != 3 && !is_listener && !is_forked)
		return 2;
	folder = argv[1];
	other = (pid_t)strtol(argv[2], NULL, 10);
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : confinement_new(fd, &confinement);
	if (r == 0)
		r = is_listener ? confine_listener() : is_forked ? become_forked(confinement) : confine(confinement);
	if (r < 0) {
		(void)fprintf(stderr, "cbtest-confine: %s\n", strerror(-r));
		return 1;
	}
	if (is_listener)
		attack_from_listener();
	else
		attack();
	(void)puts("--");
	if (is_listener)
		listen_and_fork(confinement);
	else
		work(is_forked);
	return 0;
}
