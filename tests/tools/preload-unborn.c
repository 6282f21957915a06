/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-unborn.c: for LD_PRELOAD. As long as there is a file $UNBORN, the first nursery that is about to send(2) an
 * answer removes the file and is killed: the relays of which the answer tells have been made. As long as there is a file
 * $UNBORN.midway, the first that has made two relays is killed: others of the same order have not been made.
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

/* Only a nursery calls send(2) for a socket that keeps messages apart. */
static bool is_answer(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	ssize_t (*real)(int, const void *, size_t, int) =
		(ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	const char *path = getenv("UNBORN");

	if (path && is_answer(fd) && access(path, F_OK) == 0 && unlink(path) == 0)
		die();
	return real(fd, bytes, size, flags);
}

/* A nursery calls clone(2) so. */
long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"), arguments[6], r;
	const char *path = getenv("UNBORN");
	static unsigned made;
	char midway[4096];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	r = real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
	if (number != SYS_clone || r <= 0 || !path || ++made % 2 != 0)
		return r;
	(void)snprintf(midway, sizeof(midway), "%s.midway", path);
	if (access(midway, F_OK) == 0 && unlink(midway) == 0)
		die();
	return r;
}
