/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "folder.h"

int process_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */

	return fd < 0 ? -errno : fd;
}

int process_signal(int fd, int signal_number)
{
	return syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0) < 0 ? -errno : 0;
}

int process_is_called(pid_t pid, const char *name)
{
	char path[48], line[32] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (!fgets(line, sizeof(line), file))
		*line = '\0';
	(void)fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, name) == 0;
}

int process_has_open(pid_t pid, const struct stat *file)
{
	char path[48];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!found && (entry = readdir(dir))) {
		struct stat st;

		found = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && is_same_file(&st, file);
	}
	(void)closedir(dir);
	return found;
}
