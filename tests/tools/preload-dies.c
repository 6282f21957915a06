/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-dies.c: for LD_PRELOAD. As long as there is a file $DIES, the first
 * process that a connection wakes from epoll_pwait2(2) removes it and is sent
 * signal $DIES_OF: what woke it is still there, and it alone knew. (One that is
 * woken by an order has been given its connection, which would go with it.)
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_listening(int fd)
{
	int on = 0;
	socklen_t size = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on;
}

/* A relay calls it so. */
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
		(void)raise(of ? atoi(of) : SIGKILL);
	return r;
}
