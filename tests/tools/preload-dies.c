/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-dies.c: for LD_PRELOAD. As long as there is a file $DIES, the first
 * process that a connection wakes from epoll_pwait(2) removes it and is sent
 * signal $DIES_OF: what woke it is still there, and it alone knew. (One that is
 * woken by an order has been given its connection, which would go with it.)
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_listening(int fd)
{
	int on = 0;
	socklen_t size = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on;
}

int epoll_pwait(int epfd, struct epoll_event *events, int maxevents, int timeout, const sigset_t *set)
{
	int (*real)(int, struct epoll_event *, int, int, const sigset_t *) =
		(int (*)(int, struct epoll_event *, int, int, const sigset_t *))dlsym(RTLD_NEXT, "epoll_pwait");
	const char *path = getenv("DIES"), *of = getenv("DIES_OF");
	int r = real(epfd, events, maxevents, timeout, set);

	if (r > 0 && path && is_listening(events[0].data.fd) && unlink(path) == 0)
		(void)raise(of ? atoi(of) : SIGKILL);
	return r;
}
