/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-short.c: for LD_PRELOAD. As long as there is a file $SHORT, accept4(2)
 * fails for want of what the file names: ENFILE or ENOMEM. The process notes
 * its pid in $SHORT.tried then.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note_try(const char *path)
{
	char name[4096], line[32];
	int file;

	(void)snprintf(name, sizeof(name), "%s.tried", path);
	(void)snprintf(line, sizeof(line), "%ld\n", (long)getpid());
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
	errno = strncmp(word, "ENOMEM", 6) == 0 ? ENOMEM : ENFILE;
	return -1;
}
