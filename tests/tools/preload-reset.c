/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-reset.c: for LD_PRELOAD. A connect(2) that is in progress comes back
 * only when the other end has reset the connection, which is before whoever
 * called can ask what became of it. At most ten seconds.
 */

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int (*real)(int, const struct sockaddr *, socklen_t) =
		(int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
	struct pollfd hung_up = { .fd = fd }; /* POLLHUP and POLLERR come without being asked for */
	int r = real(fd, address, size);

	if (r < 0 && errno == EINPROGRESS) {
		(void)poll(&hung_up, 1, 10000);
		errno = EINPROGRESS;
	}
	return r;
}
