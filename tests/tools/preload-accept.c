/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-accept.c: for LD_PRELOAD. accept4(2) returns a connection only after a
 * random delay of up to $ACCEPT_DELAY microseconds, different in each process.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	int (*real)(int, struct sockaddr *, socklen_t *, int) =
		(int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
	const char *delay = getenv("ACCEPT_DELAY");
	int connection = real(fd, address, size, flags), error = errno;

	if (connection >= 0 && delay) {
		struct timespec now;

		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		(void)usleep((unsigned)(now.tv_nsec / 1000 + getpid() * 7919L) % (unsigned)atoi(delay));
	}
	errno = error;
	return connection;
}
