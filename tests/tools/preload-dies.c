/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-dies.c: for LD_PRELOAD. As long as there is a file $DIES, the first
 * process that a connection wakes from epoll_pwait2(2) removes the file and gets
 * signal $DIES_OF. The connection is still there, and only the dead process knew
 * of it. (A process that an order wakes is left alone: it has been given its
 * connection, which would end with it.)
 */

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload-kill.h"
#include "preload-syscall.h"

static bool is_listening(int fd)
{
	int on = 0;
	socklen_t size = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on;
}

/* A relay calls epoll_pwait2(2) by syscall(2). */
static long on_syscall(long number, const long arguments[static 6])
{
	const char *path = getenv("DIES"), *of = getenv("DIES_OF");
	const struct epoll_event *events = (const struct epoll_event *)arguments[1];
	long r = real_syscall(number, arguments);

	if (number == SYS_epoll_pwait2 && r > 0 && path && is_listening(events[0].data.fd) && unlink(path) == 0)
		signal_self(of ? atoi(of) : SIGKILL);
	return r;
}
