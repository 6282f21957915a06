/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-unborn.c: for LD_PRELOAD. As long as there is a file $UNBORN, the first nursery that is about to send(2) an
 * answer removes the file and is killed: the relays of which the answer tells have been made. As long as there is a file
 * $UNBORN.midway, the first that has made two relays is killed: others of the same order have not been made.
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload-kill.h"
#include "preload-syscall.h"

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
		signal_self(SIGKILL);
	return real(fd, bytes, size, flags);
}

/* A nursery calls clone(2) so. */
static long on_syscall(long number, const long arguments[static 6])
{
	const char *path = getenv("UNBORN");
	long r = real_syscall(number, arguments);
	static unsigned made;
	char midway[4096];

	if (number != SYS_clone || r <= 0 || !path || ++made % 2 != 0)
		return r;
	(void)snprintf(midway, sizeof(midway), "%s.midway", path);
	if (access(midway, F_OK) == 0 && unlink(midway) == 0)
		signal_self(SIGKILL);
	return r;
}
