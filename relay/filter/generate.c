/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * generate.c: writes a seccomp program, as the kernel takes it, to standard output:
 * "generate user" and "generate root" for a process that serves one connection by
 * itself, the second if root runs it; "generate nursery-user" and "generate
 * nursery-root" for the process that forks relays, which inherit the program;
 * "generate listener" for the parent of all these. The build runs it, and the
 * programs become a part of cbrelay: to compile the rules takes a millisecond, as
 * long as a short connection of a process of its own. relay/confine.c says what the
 * rules are for.
 */

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
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
	SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
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

/* For the process that forks relays, and so for these: they bind themselves further, and a timer of a process signals no
 * other process, see scoreboard/system/to_self.h. */
static const int calls_of_nursery[] = {
	SCMP_SYS(landlock_restrict_self), SCMP_SYS(timer_create), SCMP_SYS(timer_settime), SCMP_SYS(timer_delete),
};

static const int ioctls[] = { FIONREAD, SIOCOUTQ, SIOCOUTQNSD, TCGETS };

/* Not F_SETOWN, by which the kernel signals another process for the caller. */
static const int fcntls[] = {
	F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC, F_GETLK, F_SETLK, F_SETLKW, F_SETPIPE_SZ,
};

/*
 * Refused to a listener, whatever the arguments: it runs no other program, looks into no other process, and has no use for
 * what the kernel offers to those that do. A listener is not told what it may do, as a relay is: the process that it forks
 * to load the node list looks names up by whatever libraries and sockets this machine has for that.
 */
static const int no_calls_of_listener[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise), SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(userfaultfd), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount),
	SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(fsopen), SCMP_SYS(open_tree), SCMP_SYS(move_mount),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct),
	SCMP_SYS(personality), SCMP_SYS(vhangup),
};

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

/* What all relays may. */
static int fill_relay(scmp_filter_ctx filter)
{
	int r = allow_calls(filter, calls, sizeof(calls) / sizeof(calls[0]));

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
	for (size_t i = 0; r == 0 && i < sizeof(fcntls) / sizeof(fcntls[0]); i++)
		r = allow_if(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntls[i]));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0) /* whether there is such a process */
		r = allow_if(filter, SCMP_SYS(kill), SCMP_A1(SCMP_CMP_EQ, 0));
	if (r == 0) /* a process that was stopped within a section goes on */
		r = allow_if(filter, SCMP_SYS(kill), SCMP_A1(SCMP_CMP_EQ, SIGCONT));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_GET_PDEATHSIG));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0));
	return r;
}

static int allow_root(scmp_filter_ctx filter)
{
	return allow_calls(filter, calls_of_root, sizeof(calls_of_root) / sizeof(calls_of_root[0]));
}

static int fill_user(scmp_filter_ctx filter)
{
	int r = fill_relay(filter);

	return r == 0 ? allow_if(filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, FILTER_NO_PID)) : r;
}

static int fill_root(scmp_filter_ctx filter)
{
	int r = fill_user(filter);

	return r == 0 ? allow_root(filter) : r;
}

/* clone(2) with the nursery's number in an argument that it does not use, see relay/confine.h. */
static int fill_nursery_user(scmp_filter_ctx filter)
{
	int r = fill_relay(filter);

	if (r == 0)
		r = allow_calls(filter, calls_of_nursery, sizeof(calls_of_nursery) / sizeof(calls_of_nursery[0]));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(clone), SCMP_A4(SCMP_CMP_EQ, FILTER_NO_PASS));
	if (r == 0)
		r = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	return r;
}

static int fill_nursery_root(scmp_filter_ctx filter)
{
	int r = fill_nursery_user(filter);

	return r == 0 ? allow_root(filter) : r;
}

static int refuse_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp a, struct scmp_arg_cmp b)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 2, a, b);
}

static int fill_listener(scmp_filter_ctx filter)
{
	const scmp_datum_t both = PROT_WRITE | PROT_EXEC;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(no_calls_of_listener) / sizeof(no_calls_of_listener[0]); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), no_calls_of_listener[i], 0);
	if (r == 0) /* libraries are mapped to run; what can be written cannot */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	if (r == 0)
		r = refuse_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE), SCMP_A1(SCMP_CMP_NE, 0));
	return r;
}

/* A program: what happens to a system call without a rule, and the rules. */
static const struct program {
	const char *name;
	uint32_t otherwise;
	int (*fill)(scmp_filter_ctx filter);
} programs[] = {
	{ "user", SCMP_ACT_ERRNO(EPERM), fill_user },
	{ "root", SCMP_ACT_ERRNO(EPERM), fill_root },
	{ "nursery-user", SCMP_ACT_ERRNO(EPERM), fill_nursery_user },
	{ "nursery-root", SCMP_ACT_ERRNO(EPERM), fill_nursery_root },
	{ "listener", SCMP_ACT_ALLOW, fill_listener },
};

static int generate(const struct program *program)
{
	scmp_filter_ctx filter = seccomp_init(program->otherwise);
	/* A tree of comparisons instead of a list: every system call of a relay goes through it. */
	int r = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) : -ENOMEM;

	if (r == 0)
		r = program->fill(filter);
	if (r == 0)
		r = seccomp_export_bpf(filter, STDOUT_FILENO);
	if (r < 0)
		(void)fprintf(stderr, "generate: %s\n", strerror(-r));
	seccomp_release(filter);
	return r < 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strcmp(argv[1], programs[i].name) == 0)
			return generate(&programs[i]);
	(void)fprintf(stderr, "usage: generate user|root|nursery-user|nursery-root|listener >FILE\n");
	return 2;
}
