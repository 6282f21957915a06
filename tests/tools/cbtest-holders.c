/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cbtest-holders FILE: the pids of the processes that have the file open, a line each, by /proc. Each test asks at its end.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel gives a lease for writing only if no other process has the file open. A file system may know no leases. */
static int only_we_have(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int leased = fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;

	if (fd >= 0)
		close(fd);
	return leased;
}

static int process_has(int proc, const char *pid, const struct stat *file)
{
	char path[300];
	struct dirent *entry;
	struct stat at;
	int found = 0;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return 0;
	}
	while (!found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.' && fstatat(fd, entry->d_name, &at, 0) == 0 &&
			at.st_ino == file->st_ino && at.st_dev == file->st_dev;
	closedir(dir);
	return found;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	struct stat file;
	DIR *proc;

	if (argc != 2) {
		fprintf(stderr, "usage: cbtest-holders FILE\n");
		return 64;
	}
	if (stat(argv[1], &file) || (S_ISREG(file.st_mode) && only_we_have(argv[1])))
		return 0;
	proc = opendir("/proc");
	if (!proc)
		return 1;
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			process_has(dirfd(proc), entry->d_name, &file))
			puts(entry->d_name);
	closedir(proc);
	return 0;
}
