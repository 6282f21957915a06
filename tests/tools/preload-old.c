/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-old.c: for LD_PRELOAD. A kernel without epoll_pwait2(2), which came
 * with Linux 5.11; and, as long as there is a file $FAILS, without epoll, too.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload-syscall.h"

/* A relay calls epoll_pwait2(2) by syscall(2). */
static long on_syscall(long number, const long arguments[static 6])
{
	if (number != SYS_epoll_pwait2)
		return real_syscall(number, arguments);
	errno = ENOSYS;
	return -1;
}

int epoll_create1(int flags)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "epoll_create1");
	const char *path = getenv("FAILS");

	if (path && access(path, F_OK) == 0) {
		errno = ENOSYS;
		return -1;
	}
	return real(flags);
}
