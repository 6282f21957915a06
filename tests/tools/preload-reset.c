/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-reset.c: for LD_PRELOAD. A connect(2) in progress returns only when the
 * other end has reset the connection, so the reset comes before the caller can
 * ask for the result. It waits at most ten seconds.
 */

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int (*real)(int, const struct sockaddr *, socklen_t) =
		(int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
	struct pollfd hung_up = { .fd = fd }; /* poll(2) always reports POLLHUP and POLLERR */
	int r = real(fd, address, size);

	if (r < 0 && errno == EINPROGRESS) {
		(void)poll(&hung_up, 1, 10000);
		errno = EINPROGRESS;
	}
	return r;
}
