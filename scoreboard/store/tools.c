/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "system/timespan.h"

#define PAUSE_NSEC 1000000L

/* tdb's locks are bytes of the file. */
static const struct range {
	off_t start, length;
} all = { 0, 0 }, transaction = { TRANSACTION_LOCK, 1 }, records = { LOCKS_OF_ALL, 0 };

static struct flock lock_of(short type, const struct range *range)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = range->start, .l_len = range->length };
}

/* 0, -EBUSY, or -errno. */
static int take(int fd, const struct range *range)
{
	struct flock lock = lock_of(F_WRLCK, range);

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static void give_up(int fd, const struct range *range)
{
	struct flock lock = lock_of(F_UNLCK, range);

	(void)fcntl(fd, F_SETLK, &lock);
}

int tools_keep_out(int fd)
{
	int r = take(fd, &transaction) ?: take(fd, &records);

	if (r < 0)
		tools_let_in(fd);
	return r;
}

int tools_keep_out_of_all(int fd)
{
	return take(fd, &all);
}

void tools_let_in(int fd)
{
	give_up(fd, &records);
	give_up(fd, &transaction);
}

bool tools_must_recover(int fd)
{
	struct head head;
	uint32_t at;

	return pread(fd, &at, sizeof(at), RECOVERY_AT) == sizeof(at) && at != 0 &&
	       pread(fd, &head, sizeof(head), at) == sizeof(head) && head.magic == RECOVERY_MAGIC;
}

/* ---- waiting ---- */

struct tools_wait tools_wait_begin(uint64_t most_usec)
{
	return (struct tools_wait){ .wait = wait_begin(), .most_usec = most_usec };
}

/* A process that has a lock; 0: none has one any more, or it is in another pid namespace. */
static pid_t find_process(int fd)
{
	struct flock lock = lock_of(F_WRLCK, &all);

	return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0 ? lock.l_pid : 0;
}

int tools_wait(struct tools_wait *wait, int fd, bool *told)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NSEC };

	if (now_boottime() - wait->wait.since_usec >= wait->most_usec) {
		if (!*told)
			wait_give_up(&wait->wait, find_process(fd));
		*told = true;
		return -ENOLCK;
	}
	(void)nanosleep(&pause, NULL);
	return wait_look(&wait->wait, NULL, false);
}
