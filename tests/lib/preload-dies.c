/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-dies.c: for LD_PRELOAD. As long as there is a file $DIES, the first
 * process that epoll_pwait(2) wakes removes it and is killed: what woke it is
 * still there, and it alone knew.
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

int epoll_pwait(int epfd, struct epoll_event *events, int maxevents, int timeout, const sigset_t *set)
{
	int (*real)(int, struct epoll_event *, int, int, const sigset_t *) =
		(int (*)(int, struct epoll_event *, int, int, const sigset_t *))dlsym(RTLD_NEXT, "epoll_pwait");
	const char *path = getenv("DIES");
	int r = real(epfd, events, maxevents, timeout, set);

	if (r > 0 && path && unlink(path) == 0)
		(void)raise(SIGKILL);
	return r;
}
