/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * generate.c: writes the seccomp program of relays, as the kernel takes it, to
 * standard output: "generate user", or "generate root" for a relay that root runs.
 * The build runs it, and the program becomes a part of cbrelay: to compile the
 * rules takes a millisecond, as long as a short connection of a process of its own.
 * relay/confine.c says what the rules are for.
 */

#include <asm/termbits.h>
#include <errno.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "place.h"

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

static int fill(scmp_filter_ctx filter, bool is_root)
{
	int r = allow_calls(filter, calls, sizeof(calls) / sizeof(calls[0]));

	if (r == 0 && is_root)
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
		r = allow_if(filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, FILTER_NO_PID));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0));
	return r;
}

int main(int argc, char **argv)
{
	bool is_root = argc == 2 && strcmp(argv[1], "root") == 0;
	scmp_filter_ctx filter;
	int r;

	if (argc != 2 || (!is_root && strcmp(argv[1], "user") != 0)) {
		(void)fprintf(stderr, "usage: generate user|root >FILE\n");
		return 2;
	}
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	/* A tree of comparisons instead of a list: every system call of a relay goes through it. */
	r = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) : -ENOMEM;
	if (r == 0)
		r = fill(filter, is_root);
	if (r == 0)
		r = seccomp_export_bpf(filter, STDOUT_FILENO);
	if (r < 0)
		(void)fprintf(stderr, "generate: %s\n", strerror(-r));
	seccomp_release(filter);
	return r < 0;
}
