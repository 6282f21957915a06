/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "holder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

static int read_file(const char *path, char *buffer, size_t size)
{
	ssize_t n;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buffer, size - 1);
	r = n < 0 ? -errno : 0;
	(void)close(fd);
	if (r == 0)
		buffer[n] = '\0';
	return r;
}

/* The fields of /proc/PID/stat that are used, see proc_pid_stat(5). */
struct stat_line {
	char name[HOLDER_NAME_MAX + 1];
	char state;
	uint64_t start;
};

/* Reads such a file. 0 or -errno. */
static int read_stat(const char *path, struct stat_line *ret)
{
	char buffer[1024], *begin, *p;
	size_t length;
	int r = read_file(path, buffer, sizeof(buffer));

	if (r < 0)
		return r;
	/* The second field is the name in parentheses and may itself contain any of ") (". */
	begin = strchr(buffer, '(');
	p = strrchr(buffer, ')');
	if (!begin || !p || p < begin || p[1] != ' ')
		return -EBADMSG;
	length = (size_t)(p - begin - 1);
	if (length > HOLDER_NAME_MAX)
		length = HOLDER_NAME_MAX;
	(void)memcpy(ret->name, begin + 1, length);
	ret->name[length] = '\0';
	p += 2;
	ret->state = *p;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -EBADMSG;
		p++;
	}
	ret->start = strtoull(p, NULL, 10);
	return 0;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* The boot id in binary, read once: it cannot change under a running process. All zero if unknown. */
static const uint8_t *boot_id(void)
{
	static uint8_t id[BOOT_SIZE];
	static bool known;
	char text[64];
	size_t n = 0;

	if (known)
		return id;
	known = true;
	if (read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text)) < 0)
		return id;
	for (const char *p = text; n < 2 * sizeof(id); p++) {
		int digit = hex_digit(*p);

		if (*p == '-')
			continue;
		if (digit < 0)
			break;
		id[n / 2] = (uint8_t)(id[n / 2] << 4 | digit);
		n++;
	}
	return id;
}

bool boots_differ(const uint8_t a[static BOOT_SIZE], const uint8_t b[static BOOT_SIZE])
{
	static const uint8_t unknown[BOOT_SIZE];

	return memcmp(a, unknown, sizeof(unknown)) != 0 && memcmp(b, unknown, sizeof(unknown)) != 0 &&
	       memcmp(a, b, sizeof(unknown)) != 0;
}

/*
 * What a fork leaves to the child. The child started after before_ticks, and before it asks. If both are the same clock
 * tick, that is the start, which the kernel counts in ticks of the same clock. Whether it does is seen in a process
 * that was forked with a note and has read its start; only what that process forks believes the clock.
 */
static struct {
	pid_t by;              /* 0: no process has noted anything */
	uint64_t hz;           /* ticks in a second */
	uint64_t before_ticks;
	bool believed;
} fork_note;

/* CLOCK_BOOTTIME in the unit of struct holder; 0: unknown. The kernel is asked, as it notes the start of a process by this
 * clock: a preloaded library may put another clock in its place. */
static uint64_t ticks_now(void)
{
	struct timespec now;

	if (fork_note.hz == 0 || syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * fork_note.hz + (uint64_t)now.tv_nsec / (1000000000u / fork_note.hz);
}

void holder_fork_begins(void)
{
	if (fork_note.by != getpid()) {
		fork_note.by = getpid();
		fork_note.hz = (uint64_t)sysconf(_SC_CLK_TCK);
	}
	fork_note.before_ticks = ticks_now();
}

/* When this process, whose pid is given, started; 0: unknown. */
static uint64_t own_start(pid_t pid)
{
	bool noted = fork_note.by != 0 && fork_note.by != pid && fork_note.before_ticks != 0;
	struct stat_line line;

	if (noted && fork_note.believed && ticks_now() == fork_note.before_ticks)
		return fork_note.before_ticks;
	if (read_stat("/proc/self/stat", &line) < 0)
		return 0;
	if (noted && !fork_note.believed)
		fork_note.believed = line.start >= fork_note.before_ticks && line.start <= ticks_now();
	return line.start;
}

void holder_self(struct holder *ret)
{
	pid_t pid = getpid();

	*ret = (struct holder){ .pid = (uint32_t)pid, .start = own_start(pid) };
	(void)memcpy(ret->boot, boot_id(), sizeof(ret->boot));
}

bool holder_of(pid_t pid, struct holder *ret)
{
	struct stat_line line;
	char path[32];

	*ret = (struct holder){ .pid = (uint32_t)pid };
	(void)memcpy(ret->boot, boot_id(), sizeof(ret->boot));
	(void)snprintf(path, sizeof(path), "/proc/%u/stat", ret->pid);
	ret->start = read_stat(path, &line) < 0 ? 0 : line.start;
	return holder_alive(ret);
}

bool holder_alive(const struct holder *holder)
{
	struct stat_line line;
	char path[32];

	if (holder->pid == 0 || holder->pid > INT32_MAX)
		return false;
	if (boots_differ(holder->boot, boot_id()))
		return false;
	if (kill((pid_t)holder->pid, 0) < 0 && errno == ESRCH)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%u/stat", holder->pid);
	if (read_stat(path, &line) < 0)
		/* The process has ended since, or /proc hides it. */
		return !(kill((pid_t)holder->pid, 0) < 0 && errno == ESRCH);
	if (line.state == 'Z' || line.state == 'X')
		return false;
	return holder->start == 0 || line.start == holder->start;
}

bool holder_is_stopped(const struct holder *holder, char ret_name[static HOLDER_NAME_MAX + 1])
{
	struct stat_line line;
	char path[32];

	*ret_name = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%u/stat", holder->pid);
	if (read_stat(path, &line) < 0 || (holder->start != 0 && line.start != holder->start))
		return false;
	(void)memcpy(ret_name, line.name, sizeof(line.name));
	return line.state == 'T';
}

bool holder_equal(const struct holder *a, const struct holder *b)
{
	return a->pid == b->pid && a->start == b->start && memcmp(a->boot, b->boot, sizeof(a->boot)) == 0;
}

int holder_pidfd(const struct holder *holder)
{
	int fd;

	if (!holder_alive(holder))
		return -ESRCH;
	fd = process_open((pid_t)holder->pid);
	if (fd < 0)
		return fd;
	/* The pid may have passed to another process before pidfd_open(2), so look again. */
	if (!holder_alive(holder)) {
		(void)close(fd);
		return -ESRCH;
	}
	return fd;
}

struct holder_watch holder_unwatched(void)
{
	return (struct holder_watch){ .fd = -1 };
}

void holder_watch_clear(struct holder_watch *watch)
{
	if (watch->fd >= 0)
		(void)close(watch->fd);
	*watch = holder_unwatched();
}

bool holder_alive_still(struct holder_watch *watch, const struct holder *holder)
{
	struct pollfd end = { .events = POLLIN };

	if (!holder_equal(&watch->holder, holder)) {
		holder_watch_clear(watch);
		watch->holder = *holder;
		return holder_alive(holder);
	}
	if (watch->fd < 0) {
		end.fd = holder_pidfd(holder);
		watch->fd = end.fd < 0 ? -1 : end.fd;
		return end.fd >= 0 || (end.fd != -ESRCH && holder_alive(holder));
	}
	/* A pidfd can be read from the moment that its process is a zombie. */
	end.fd = watch->fd;
	if (poll(&end, 1, 0) < 0 || end.revents & POLLNVAL)
		return holder_alive(holder);
	return !(end.revents & POLLIN);
}
