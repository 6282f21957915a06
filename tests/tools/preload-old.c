/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-old.c: for LD_PRELOAD. A kernel without epoll_pwait2(2), which came
 * with Linux 5.11; and, as long as there is a file $FAILS, without epoll, too.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A relay calls epoll_pwait2(2) by syscall(2). */
long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"), arguments[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_epoll_pwait2) {
		errno = ENOSYS;
		return -1;
	}
	return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
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
