/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-holders.c: the processes that have a file open, by /proc. Each test asks at its end.
 *
 *     cbtest-holders FILE
 * prints their pids, a line each. A file that is not there has none.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/process.h"

/* The kernel gives a lease for writing only if no other process has the file open. A file system may know no leases. */
static bool no_other_has(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool leased = fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;

	if (fd >= 0)
		(void)close(fd);
	return leased;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	struct stat file;
	DIR *proc;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: cbtest-holders FILE\n");
		return 64;
	}
	if (stat(argv[1], &file) < 0 || (S_ISREG(file.st_mode) && no_other_has(argv[1])))
		return 0;
	proc = opendir("/proc");
	if (!proc)
		return 1;
	while ((entry = readdir(proc))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && process_has_open((pid_t)pid, &file) > 0)
			printf("%ld\n", pid);
	}
	(void)closedir(proc);
	return 0;
}
