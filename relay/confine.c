/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * confine.c: a relay needs its sockets, the scoreboard, /proc to tell the living
 * from the dead, and nothing else. What a relay may not do fails with EPERM: a
 * relay runs no program, makes no process, sends no signal but to itself (SIGCONT
 * may go to a process that was stopped with the lock), touches no other process's
 * memory or descriptors, listens nowhere, opens no file for others than the
 * scoreboard, and makes no sockets but those of TCP and UDP and the datagram
 * sockets by which processes of a farm wake each other. So the system bus is out of
 * reach.
 *
 * A relay signals itself by tgkill(2) with its own pid, which differs from relay to
 * relay, while the program of the filter is made once. So the program has a number
 * that no pid can be in the place of the pid, and each relay puts its pid there.
 *
 * Sanitizers need more than that: a process built with a sanitizer binds itself to
 * nothing.
 */

#include "confine.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define BINDS_NOTHING 1
#else
#define BINDS_NOTHING 0
#endif

#define NO_PID UINT32_C(0x7ead1ead)   /* above PID_MAX_LIMIT */
#define NO_TRUNCATE_BEFORE 3          /* versions of Landlock's interface */
#define NO_REFER_BEFORE 2
#define NO_IOCTL_BEFORE 5

/* What headers of a kernel before 6.2 do not name. */
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)

struct confinement {
	struct sock_filter *filter;
	size_t n;              /* instructions */
	int landlock_fd;       /* -1: the kernel has none */
};

/* ---- system calls ---- */

/* Allowed with any arguments. */
static const int calls[] = {
	/* bytes */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev2), SCMP_SYS(splice), SCMP_SYS(tee), SCMP_SYS(pipe2), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(close_range),
	SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl),
	/* sockets that it has */
	SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(shutdown), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	/* waiting */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(restart_syscall), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
	/* files; Landlock decides which */
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(fstatfs), SCMP_SYS(statfs), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(fchdir), SCMP_SYS(linkat), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(fdatasync), SCMP_SYS(fsync), SCMP_SYS(umask), SCMP_SYS(memfd_create),
	/* memory; no more of it can be made to run, see below */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(msync),
	/* its own signals, limits and identity */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigsuspend), SCMP_SYS(sigaltstack), SCMP_SYS(signalfd4), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(getrlimit),
	SCMP_SYS(getrusage), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
	SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getcpu), SCMP_SYS(sched_getaffinity), SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
	SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* to see the end of another process of the farm; pidfd_send_signal and pidfd_getfd are not here */
	SCMP_SYS(pidfd_open),
};

/* For a relay of root, which becomes the owner of the scoreboard's folder, see folder.h. A relay of another user has no
 * use for these calls. */
static const int calls_of_root[] = { SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups) };

static const int ioctls[] = { FIONREAD, SIOCOUTQ, SIOCOUTQNSD, TCGETS };

static int allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp a)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &a);
}

static int allow_socket(scmp_filter_ctx filter, int domain, int type)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)domain),
				SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)type));
}

static int allow_calls(scmp_filter_ctx filter, const int *list, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, list[i], 0);
	return r;
}

static int fill(scmp_filter_ctx filter)
{
	int r = allow_calls(filter, calls, sizeof(calls) / sizeof(calls[0]));

	if (r == 0 && geteuid() == 0)
		r = allow_calls(filter, calls_of_root, sizeof(calls_of_root) / sizeof(calls_of_root[0]));
	if (r == 0)
		r = allow_socket(filter, AF_INET, SOCK_STREAM);
	if (r == 0)
		r = allow_socket(filter, AF_INET6, SOCK_STREAM);
	/* A relay uses UDP sockets only to ask whether there is a route to an address. */
	if (r == 0)
		r = allow_socket(filter, AF_INET, SOCK_DGRAM);
	if (r == 0)
		r = allow_socket(filter, AF_INET6, SOCK_DGRAM);
	if (r == 0)
		r = allow_socket(filter, AF_UNIX, SOCK_DGRAM);
	for (size_t i = 0; r == 0 && i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		r = allow_if(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)ioctls[i]));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0) /* whether there is such a process */
		r = allow_if(filter, SCMP_SYS(kill), SCMP_A1(SCMP_CMP_EQ, 0));
	if (r == 0) /* a process that was stopped within a section goes on */
		r = allow_if(filter, SCMP_SYS(kill), SCMP_A1(SCMP_CMP_EQ, SIGCONT));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, NO_PID));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0));
	return r;
}

/* libseccomp writes the program to a descriptor. */
static int take_program(int fd, struct confinement *confinement)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	confinement->n = (size_t)st.st_size / sizeof(struct sock_filter);
	confinement->filter = calloc(confinement->n + 1, sizeof(struct sock_filter));
	if (!confinement->filter)
		return -ENOMEM;
	n = pread(fd, confinement->filter, confinement->n * sizeof(struct sock_filter), 0);
	return n == (ssize_t)(confinement->n * sizeof(struct sock_filter)) ? 0 : n < 0 ? -errno : -EIO;
}

static int make_filter(struct confinement *confinement)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int fd, r;

	if (!filter)
		return -ENOMEM;
	/* A tree of comparisons instead of a list: every system call of a relay goes through it. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = fill(filter);
	fd = r == 0 ? memfd_create("filter", MFD_CLOEXEC) : -1;
	if (r == 0 && fd < 0)
		r = -errno;
	if (r == 0)
		r = seccomp_export_bpf(filter, fd);
	if (r == 0)
		r = take_program(fd, confinement);
	if (fd >= 0)
		(void)close(fd);
	seccomp_release(filter);
	return r;
}

/* Puts the pid of this process into the place that the program keeps for it. */
static void put_pid(const struct confinement *confinement)
{
	for (size_t i = 0; i < confinement->n; i++)
		if (confinement->filter[i].k == NO_PID && BPF_CLASS(confinement->filter[i].code) == BPF_JMP)
			confinement->filter[i].k = (uint32_t)getpid();
}

/* ---- files ---- */

static int allow_path(int ruleset, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };

	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0u) < 0 ? -errno : 0;
}

static int make_ruleset(int folder_fd, int *ret)
{
	const uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* of the first version */
	uint64_t scoreboard = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
			      LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
	uint64_t handled = all;
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset, proc, r;

	if (version < 0) {
		*ret = -1; /* a kernel before 5.13, or booted without Landlock: only seccomp is left */
		return 0;
	}
	if (version >= NO_REFER_BEFORE)
		handled |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= NO_TRUNCATE_BEFORE) {
		handled |= FS_TRUNCATE;
		scoreboard |= FS_TRUNCATE;
	}
	if (version >= NO_IOCTL_BEFORE)
		handled |= FS_IOCTL_DEV;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0u);
	if (ruleset < 0)
		return -errno;
	proc = open("/proc", O_PATH | O_CLOEXEC);
	r = allow_path(ruleset, folder_fd, scoreboard);
	if (r == 0 && proc >= 0)
		r = allow_path(ruleset, proc, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
	if (proc >= 0)
		(void)close(proc);
	if (r < 0)
		(void)close(ruleset);
	else
		*ret = ruleset;
	return r;
}

/* ---- both ---- */

int confinement_new(int folder_fd, struct confinement **ret)
{
	struct confinement *confinement = calloc(1, sizeof(*confinement));
	uint32_t action = SECCOMP_RET_ERRNO;
	int r;

	if (!confinement)
		return -ENOMEM;
	confinement->landlock_fd = -1;
	/* A service manager's own filter may forbid the very call. */
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0u, &action) < 0) {
		r = -errno;
		(void)confinement_free(confinement);
		return r;
	}
	tzset(); /* a copy of a damaged scoreboard has the local time in its name: the zone is read before files are out of reach */
	r = make_filter(confinement);
	if (r == 0)
		r = make_ruleset(folder_fd, &confinement->landlock_fd);
	if (r < 0)
		(void)confinement_free(confinement);
	else
		*ret = confinement;
	return r;
}

int confinement_fd(const struct confinement *confinement)
{
	return confinement->landlock_fd;
}

int confine(const struct confinement *confinement)
{
	struct sock_fprog program = { .len = (unsigned short)confinement->n, .filter = confinement->filter };

	if (BINDS_NOTHING)
		return 0;
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (confinement->landlock_fd >= 0 && syscall(SYS_landlock_restrict_self, confinement->landlock_fd, 0u) < 0)
		return -errno;
	put_pid(confinement);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, &program) < 0 ? -errno : 0;
}

struct confinement *confinement_free(struct confinement *confinement)
{
	if (!confinement)
		return NULL;
	if (confinement->landlock_fd >= 0)
		(void)close(confinement->landlock_fd);
	free(confinement->filter);
	free(confinement);
	return NULL;
}
