/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * confine.c: a relay needs its sockets, the scoreboard, /proc to tell the living
 * from the dead, and nothing else. What a relay may not do fails with EPERM: a
 * relay runs no program, makes no process, sends no signal but to itself (SIGCONT
 * may go to a process that was stopped with the lock), touches no other process's
 * memory or descriptors, listens nowhere, opens no files but those of the
 * scoreboard's folder and of /proc, and makes no sockets but those of TCP and UDP
 * and the datagram sockets by which processes of a farm wake each other. So the
 * system bus is out of reach.
 *
 * A listener, and the processes that it forks to load the node list and to fork
 * relays, are bound by a second program: they run no other program and look into
 * no other process, see filter/generate.c. The listener's relays inherit it. For a
 * system call that both programs allow whatever its arguments, the kernel looks up
 * one bit, as for one program.
 *
 * A process that serves one connection by itself sends itself signals by tgkill(2), and
 * the program must name its pid, which the build cannot know. So the build writes a
 * number that no pid can be, and the process puts its pid in that place.
 *
 * For a process that lives for one connection such a program would be dear: the kernel
 * takes 75 us to check and translate it, and to free it. So the nursery, which forks
 * relays, binds itself to the program of relays once, and they inherit it. The nursery
 * has to call clone(2), and a relay must not. So the program lets clone(2) pass only with
 * a number of 64 bits that the nursery has drawn. A relay erases its copy of the number
 * before it does anything else, and can look into no other process. Nor has that program
 * a pid: to signal itself a relay uses a timer.
 *
 * Sanitizers need more than that: a process built with a sanitizer binds itself to
 * nothing.
 */

#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "filter/place.h"

#ifndef FILTER_FOLDER
#define FILTER_FOLDER "build/relay/filter" /* the build says where it is */
#endif

#if defined(__SANITIZE_ADDRESS__)
#define BINDS_NOTHING 1
#else
#define BINDS_NOTHING 0
#endif

#define FILTER_MAX 2048
#define NO_TRUNCATE_BEFORE 3          /* versions of Landlock's interface */
#define NO_REFER_BEFORE 2
#define NO_IOCTL_BEFORE 5

/* What headers of a kernel before 6.2 do not name. */
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)

/* A program of a filter. */
struct program {
	const struct sock_filter *filter;
	size_t n;              /* instructions, FILTER_MAX at most */
};

struct confinement {
	struct program alone;      /* of a process that serves by itself */
	struct program nursery;    /* of the process that forks relays, and of these */
	int landlock_fd;       /* -1: the kernel has none */
};

/* ---- system calls ---- */

/* Defines the bytes of a program that the build has made (relay/filter/), between two symbols. */
#define INCLUDE_PROGRAM(name, file) \
	__asm__(".section .rodata\n.balign 8\n" \
		".global " #name "_begin\n" #name "_begin:\n" \
		".incbin \"" FILTER_FOLDER "/" file "\"\n" \
		".global " #name "_end\n" #name "_end:\n" \
		".previous\n"); \
	extern const struct sock_filter name##_begin[], name##_end[]

/* How many instructions such a program has. */
#define PROGRAM_LENGTH(name) (((uintptr_t)name##_end - (uintptr_t)name##_begin) / sizeof(name##_begin[0]))

#define PROGRAM(name) (struct program){ .filter = name##_begin, .n = PROGRAM_LENGTH(name) }

INCLUDE_PROGRAM(filter_user, "user.bpf");
INCLUDE_PROGRAM(filter_root, "root.bpf");
INCLUDE_PROGRAM(filter_nursery_user, "nursery-user.bpf");
INCLUDE_PROGRAM(filter_nursery_root, "nursery-root.bpf");
INCLUDE_PROGRAM(filter_listener, "listener.bpf");

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
	confinement->alone = geteuid() == 0 ? PROGRAM(filter_root) : PROGRAM(filter_user);
	confinement->nursery = geteuid() == 0 ? PROGRAM(filter_nursery_root) : PROGRAM(filter_nursery_user);
	r = confinement->alone.n > FILTER_MAX || confinement->nursery.n > FILTER_MAX ? -E2BIG : 0;
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

/* Hides this process from others of its user, and lets it have no more rights than it has. 0 or -errno. */
static int close_up(void)
{
	return prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int set_filter(const struct sock_filter *filter, size_t n)
{
	const struct sock_fprog program = { .len = (unsigned short)n, .filter = (struct sock_filter *)(uintptr_t)filter };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, &program) < 0 ? -errno : 0;
}

/* Puts the pid of this process into the place that the program keeps for it. */
static int set_own_filter(const struct program *program)
{
	struct sock_filter filter[FILTER_MAX]; /* here and not allocated: the stack is given back while a relay sleeps */

	(void)memcpy(filter, program->filter, program->n * sizeof(*filter));
	for (size_t i = 0; i < program->n; i++)
		if (filter[i].k == FILTER_NO_PID && BPF_CLASS(filter[i].code) == BPF_JMP)
			filter[i].k = (uint32_t)getpid();
	return set_filter(filter, program->n);
}

/* The same for the nursery's number. */
static int set_nursery_filter(const struct program *program, uint64_t pass)
{
	struct sock_filter filter[FILTER_MAX];
	int r;

	(void)memcpy(filter, program->filter, program->n * sizeof(*filter));
	for (size_t i = 0; i < program->n; i++) {
		if (BPF_CLASS(filter[i].code) != BPF_JMP)
			continue;
		if (filter[i].k == (uint32_t)(FILTER_NO_PASS >> 32))
			filter[i].k = (uint32_t)(pass >> 32);
		else if (filter[i].k == (uint32_t)FILTER_NO_PASS)
			filter[i].k = (uint32_t)pass;
	}
	r = set_filter(filter, program->n);
	explicit_bzero(filter, sizeof(filter)); /* the number is in it */
	return r;
}

int confine_listener(void)
{
	int r;

	if (BINDS_NOTHING)
		return 0;
	r = close_up();
	return r < 0 ? r : set_filter(filter_listener_begin, PROGRAM_LENGTH(filter_listener));
}

/* Binds this process to the rules for files. 0 or -errno. */
static int restrict_files(const struct confinement *confinement)
{
	if (confinement->landlock_fd >= 0 && syscall(SYS_landlock_restrict_self, confinement->landlock_fd, 0u) < 0)
		return -errno;
	return 0;
}

int confine(const struct confinement *confinement)
{
	int r;

	if (BINDS_NOTHING)
		return 0;
	r = close_up();
	if (r == 0)
		r = restrict_files(confinement);
	return r < 0 ? r : set_own_filter(&confinement->alone);
}

int confine_nursery(const struct confinement *confinement, uint64_t *ret_pass)
{
	uint64_t pass;
	int r;

	*ret_pass = 0;
	if (BINDS_NOTHING)
		return 0;
	r = close_up();
	if (r == 0 && getrandom(&pass, sizeof(pass), 0) != sizeof(pass))
		r = -EIO;
	if (r == 0)
		r = set_nursery_filter(&confinement->nursery, pass);
	if (r == 0)
		*ret_pass = pass;
	explicit_bzero(&pass, sizeof(pass));
	return r;
}

int confine_forked(const struct confinement *confinement)
{
	return BINDS_NOTHING ? 0 : restrict_files(confinement);
}

struct confinement *confinement_free(struct confinement *confinement)
{
	if (!confinement)
		return NULL;
	if (confinement->landlock_fd >= 0)
		(void)close(confinement->landlock_fd);
	free(confinement);
	return NULL;
}
