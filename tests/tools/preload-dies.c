/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-dies.c: for LD_PRELOAD. As long as there is a file $DIES, the first
 * process that a connection wakes from epoll_pwait2(2) removes the file and gets
 * signal $DIES_OF. The connection is still there, and only the dead process knew
 * of it. (A process that an order wakes is left alone: it has been given its
 * connection, which would end with it.)
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool is_listening(int fd)
{
	int on = 0;
	socklen_t size = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on;
}

/* A relay may not call raise(3), but a timer of its own signals it. Returns when the signal has been handled. */
static void signal_self(int number)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
	const struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	const struct timespec most = { .tv_sec = 60 };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0)
		(void)nanosleep(&most, NULL); /* the signal interrupts it */
}

/* A relay calls epoll_pwait2(2) by syscall(2). */
long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"), arguments[6], r;
	const char *path = getenv("DIES"), *of = getenv("DIES_OF");
	const struct epoll_event *events;
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	r = real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
	events = (const struct epoll_event *)arguments[1];
	if (number == SYS_epoll_pwait2 && r > 0 && path && is_listening(events[0].data.fd) && unlink(path) == 0)
		signal_self(of ? atoi(of) : SIGKILL);
	return r;
}
