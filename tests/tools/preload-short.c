/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-short.c: for LD_PRELOAD. As long as there is a file $SHORT, accept4(2)
 * fails with the error that the file names: ENFILE, ENOMEM or EPERM. The process
 * notes its pid and CLOCK_MONOTONIC in milliseconds in $SHORT.tried then.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void note_try(const char *path)
{
	char name[4096], line[64];
	struct timespec now;
	int file;

	(void)snprintf(name, sizeof(name), "%s.tried", path);
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(line, sizeof(line), "%ld %lld\n", (long)getpid(), (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (file >= 0) {
		(void)!write(file, line, strlen(line));
		(void)close(file);
	}
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	int (*real)(int, struct sockaddr *, socklen_t *, int) =
		(int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
	const char *path = getenv("SHORT");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char word[16] = "";

	if (file < 0)
		return real(fd, address, size, flags);
	(void)!read(file, word, sizeof(word) - 1);
	(void)close(file);
	note_try(path);
	errno = strncmp(word, "ENOMEM", 6) == 0 ? ENOMEM : strncmp(word, "EPERM", 5) == 0 ? EPERM : ENFILE;
	return -1;
}
