/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-late.c: for LD_PRELOAD. As long as there is a file $LATE, a process
 * that calls prctl(2), which a relay does first of all, makes a file $LATE.here
 * and stops there.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int prctl(int operation, ...)
{
	int (*real)(int, ...) = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
	const char *path = getenv("LATE");
	unsigned long arguments[4];
	char here[4096];
	va_list list;

	while (path && access(path, F_OK) == 0) {
		int fd;

		(void)snprintf(here, sizeof(here), "%s.here", path);
		fd = open(here, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0)
			(void)close(fd);
		(void)usleep(1000);
	}
	va_start(list, operation);
	for (int i = 0; i < 4; i++)
		arguments[i] = va_arg(list, unsigned long);
	va_end(list);
	return real(operation, arguments[0], arguments[1], arguments[2], arguments[3]);
}
