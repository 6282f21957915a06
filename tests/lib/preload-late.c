/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-late.c: for LD_PRELOAD. As long as there is a file $LATE, whoever
 * calls epoll_create1(2), as a relay does when it begins, makes a file
 * $LATE.here and gets no further.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

int epoll_create1(int flags)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "epoll_create1");
	const char *path = getenv("LATE");
	char here[4096];

	while (path && access(path, F_OK) == 0) {
		int fd;

		(void)snprintf(here, sizeof(here), "%s.here", path);
		fd = open(here, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0)
			(void)close(fd);
		(void)usleep(1000);
	}
	return real(flags);
}
