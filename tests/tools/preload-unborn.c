/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-unborn.c: for LD_PRELOAD. As long as there is a file $UNBORN, the first
 * process that is about to send(2) as many bytes as a pid has removes the file and is killed:
 * a nursery that answers. The relay of which the answer tells has been made.
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A nursery may not call raise(3), but a timer of its own signals it. */
static void die(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	const struct itimerspec at_once = { .it_value.tv_nsec = 1 };
	const struct timespec most = { .tv_sec = 60 };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &at_once, NULL) == 0)
		(void)nanosleep(&most, NULL);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	ssize_t (*real)(int, const void *, size_t, int) =
		(ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	const char *path = getenv("UNBORN");

	if (path && size == sizeof(pid_t) && access(path, F_OK) == 0 && unlink(path) == 0)
		die();
	return real(fd, bytes, size, flags);
}
