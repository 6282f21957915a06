/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "alone.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "cbrelay-"
#define BORN_PREFIX "." PREFIX /* of a folder that has no lock yet */
#define BORN_SEC 60            /* a process that takes longer for its lock has ended */
#define FILE_NAME "/scoreboard.tdb"
#define HOMES_MAX 4

/* ---- where such folders are ---- */

static bool is_ours(const char *folder)
{
	struct stat st;

	return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && access(folder, W_OK) == 0;
}

/* Folders of this user, or root's folder for all, the best first; in another user's folder, that user could replace the
 * file. /dev/shm is every user's: there, too, the scoreboard gets a folder of its own. Returns how many. */
static size_t list_homes(const char *ret[static HOMES_MAX])
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	size_t n = 0;

	if (geteuid() == 0)
		ret[n++] = "/run";
	else if (is_ours("/run/corebalance"))
		ret[n++] = "/run/corebalance";
	if (runtime && *runtime == '/' && strlen(runtime) < ALONE_PATH_MAX / 2 && is_ours(runtime))
		ret[n++] = runtime;
	ret[n++] = "/dev/shm";
	return n;
}

/* Calls fn for each folder of this user in home that has the prefix; folder_fd is fn's to close. */
static void each_folder(const char *home, const char *prefix,
			void (*fn)(int home_fd, const char *home, const char *name, int folder_fd, void *arg), void *arg)
{
	DIR *dir = opendir(home);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct stat st;
		int fd;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
			fn(dirfd(dir), home, entry->d_name, fd, arg);
		else
			(void)close(fd);
	}
	if (dir)
		(void)closedir(dir);
}

/* ---- their end ---- */

/* Removes a folder of this user with the files in it. */
static void remove_folder(int home_fd, const char *name, int folder_fd)
{
	int fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir && fd >= 0)
		(void)close(fd);
	while (dir && (entry = readdir(dir)))
		if (entry->d_type != DT_DIR)
			(void)unlinkat(folder_fd, entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	(void)unlinkat(home_fd, name, AT_REMOVEDIR);
}

static bool is_locked(int folder_fd)
{
	return flock(folder_fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static void sweep(int home_fd, const char *home, const char *name, int folder_fd, void *arg)
{
	(void)home;
	(void)arg;
	if (!is_locked(folder_fd))
		remove_folder(home_fd, name, folder_fd);
	(void)close(folder_fd);
}

static void sweep_unborn(int home_fd, const char *home, const char *name, int folder_fd, void *arg)
{
	struct stat st;

	if (fstat(folder_fd, &st) == 0 && st.st_mtime + BORN_SEC < time(NULL))
		sweep(home_fd, home, name, folder_fd, arg);
	else
		(void)close(folder_fd);
}

void alone_remove(struct alone *alone)
{
	if (alone->fd < 0)
		return;
	*strrchr(alone->path, '/') = '\0';
	remove_folder(AT_FDCWD, alone->path, alone->fd);
	(void)close(alone->fd);
	alone->fd = -1;
}

/* ---- their beginning ---- */

/* Makes a folder with a lock in home. The folder has its name only when it has the lock. 0 or -errno. */
static int make_in(const char *home, struct alone *ret)
{
	char born[ALONE_PATH_MAX];
	int r;

	(void)snprintf(born, sizeof(born), "%s/" BORN_PREFIX "XXXXXX", home);
	if (!mkdtemp(born))
		return -errno;
	(void)snprintf(ret->path, sizeof(ret->path), "%s/%s", home, born + strlen(home) + 2);
	ret->fd = open(born, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ret->fd >= 0 && flock(ret->fd, LOCK_EX | LOCK_NB) == 0 &&
	    renameat2(AT_FDCWD, born, AT_FDCWD, ret->path, RENAME_NOREPLACE) == 0) {
		(void)strcat(ret->path, FILE_NAME);
		return 0;
	}
	r = -errno;
	if (ret->fd >= 0)
		(void)close(ret->fd);
	ret->fd = -1;
	(void)rmdir(born);
	return r;
}

int alone_make(struct alone *ret)
{
	const char *homes[HOMES_MAX];
	size_t n = list_homes(homes);
	int r = -ENOENT;

	*ret = (struct alone){ .fd = -1 };
	for (size_t i = 0; i < n; i++) {
		each_folder(homes[i], PREFIX, sweep, NULL);
		each_folder(homes[i], BORN_PREFIX, sweep_unborn, NULL);
	}
	for (size_t i = 0; i < n && r < 0; i++)
		r = make_in(homes[i], ret);
	return r;
}

/* ---- which there are ---- */

struct search {
	char *path;
	size_t n;
};

static void count(int home_fd, const char *home, const char *name, int folder_fd, void *arg)
{
	struct search *search = arg;
	char path[ALONE_PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s" FILE_NAME, home, name);

	(void)home_fd;
	if (is_locked(folder_fd) && n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0) {
		search->n++;
		(void)memcpy(search->path, path, sizeof(path));
	}
	(void)close(folder_fd);
}

bool alone_has(const char *path)
{
	const char *folder = strstr(path, "/" PREFIX), *end = folder ? strchr(folder + 1, '/') : NULL;

	return end && strcmp(end, FILE_NAME) == 0;
}

size_t alone_find(char ret_path[static ALONE_PATH_MAX])
{
	const char *homes[HOMES_MAX];
	size_t n = list_homes(homes);
	struct search search = { .path = ret_path };

	for (size_t i = 0; i < n; i++)
		each_folder(homes[i], PREFIX, count, &search);
	return search.n;
}
