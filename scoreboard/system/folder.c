/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * folder.c: a process of root walks a path itself, component by component,
 * because the kernel would follow any user's link with root's rights. At the
 * first folder or link that is not root's, the process becomes its owner for the
 * rest of the way and for all work at its end. Any other user has the same rights
 * everywhere, so such a process leaves the walk to the kernel.
 */

#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "to_self.h"

#define LINKS_MAX 40      /* as the kernel's own limit */
#define RANDOM_DIGITS 32  /* hexadecimal, of a name that cannot be guessed */
#define GROUPS_MAX 65536
#define GROUPS_USUAL 16    /* a user with more is asked for twice */

/* ---- becoming the owner ---- */

/* Reads the user's groups. 0 or -errno. */
static int list_groups(const struct passwd *user, struct folder_guest *guest)
{
	int n = GROUPS_USUAL, room;

	do {
		gid_t *groups;

		room = n;
		groups = reallocarray(guest->groups, (size_t)room, sizeof(*groups));
		if (!groups)
			return -ENOMEM;
		guest->groups = groups;
	} while (getgrouplist(user->pw_name, user->pw_gid, guest->groups, &n) < 0 && n > room && n <= GROUPS_MAX);
	if (n > room)
		return -EOVERFLOW;
	guest->n_groups = (size_t)n;
	guest->group = user->pw_gid;
	return 0;
}

/* Looks up the user with all groups, as a login does; a user without a name has the folder's group alone. 0, or
 * -errno; the caller frees the groups of *ret at any result. */
static int find_guest(uid_t user, gid_t group, struct folder_guest *ret)
{
	const struct passwd *entry = getpwuid(user);

	*ret = (struct folder_guest){ .user = user, .group = group };
	return entry ? list_groups(entry, ret) : 0;
}

static int set_guest(const struct folder_guest *guest)
{
	return setgroups(guest->n_groups, guest->groups) < 0 || setegid(guest->group) < 0 || seteuid(guest->user) < 0 ? -errno : 0;
}

static void restore(struct folder_stay *stay)
{
	struct to_self sent;

	/* Root's rights come first: the groups cannot be set without them. A process that fails here must not go on. */
	if (seteuid(0) < 0 || setegid(stay->group) < 0 || setgroups((size_t)stay->n_groups, stay->groups) < 0)
		abort();
	if (stay->death_signal != 0 && prctl(PR_SET_PDEATHSIG, stay->death_signal) == 0 && getppid() != stay->parent) {
		to_self_send(stay->death_signal, &sent);
		to_self_end(&sent);
	}
	free(stay->groups);
	*stay = (struct folder_stay){ 0 };
}

static int become(const struct folder_guest *guest, struct folder_stay *ret)
{
	struct folder_stay stay = { .group = getegid(), .parent = getppid() };
	int r;

	stay.n_groups = getgroups(0, NULL);
	if (stay.n_groups < 0 || stay.n_groups > GROUPS_MAX)
		return -EOVERFLOW;
	stay.groups = calloc((size_t)stay.n_groups + 1, sizeof(gid_t));
	if (!stay.groups)
		return -ENOMEM;
	if (getgroups(stay.n_groups, stay.groups) < 0) {
		r = -errno;
		free(stay.groups);
		return r;
	}
	if (prctl(PR_GET_PDEATHSIG, &stay.death_signal) < 0)
		stay.death_signal = 0;
	r = set_guest(guest);
	if (r < 0) {
		restore(&stay);
		return r;
	}
	stay.changed = true;
	*ret = stay;
	return 0;
}

int folder_enter(const struct folder *folder, struct folder_stay *ret)
{
	*ret = (struct folder_stay){ 0 };
	return folder->is_guest && geteuid() == 0 ? become(&folder->guest, ret) : 0;
}

void folder_leave(struct folder_stay *stay)
{
	if (stay->changed)
		restore(stay);
}

/* ---- the way to the folder ---- */

struct walk {
	int fd;               /* the folder that the walk has reached */
	char *rest;           /* the rest of the path */
	unsigned links;
	struct folder *folder;
	struct folder_stay stay;
};

/* If a folder or link on the way is not root's, the process becomes its owner from here on. */
static int follow_owner(struct walk *walk, const struct stat *st)
{
	int r;

	if (st->st_uid == 0 || geteuid() != 0)
		return 0;
	r = find_guest(st->st_uid, st->st_gid, &walk->folder->guest) ?: become(&walk->folder->guest, &walk->stay);
	walk->folder->is_guest = r == 0;
	return r;
}

/* Goes on to the folder fd, which the walk owns from then on. */
static int step(struct walk *walk, int fd)
{
	struct stat st;

	if (walk->fd >= 0)
		(void)close(walk->fd);
	walk->fd = fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? follow_owner(walk, &st) : -ENOTDIR;
}

static int step_to(struct walk *walk, const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : step(walk, fd);
}

/* The text of the link takes the place of its name. */
static int follow_link(struct walk *walk, int fd)
{
	char target[4096], *rest;
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	if (++walk->links > LINKS_MAX || n == 0)
		return -ELOOP;
	target[n] = '\0';
	if (asprintf(&rest, "%s/%s", target, walk->rest) < 0)
		return -ENOMEM;
	free(walk->rest);
	walk->rest = rest;
	return *target == '/' ? step_to(walk, "/") : 0;
}

static int walk_one(struct walk *walk)
{
	size_t length = strcspn(walk->rest, "/"), slashes = strspn(walk->rest + length, "/");
	struct stat st;
	char *name;
	int fd, r;

	name = strndup(walk->rest, length);
	if (!name)
		return -ENOMEM;
	(void)memmove(walk->rest, walk->rest + length + slashes, strlen(walk->rest + length + slashes) + 1);
	fd = *name ? openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : fcntl(walk->fd, F_DUPFD_CLOEXEC, 3);
	r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
	free(name);
	if (r == 0 && !S_ISLNK(st.st_mode))
		return step(walk, fd);
	if (r == 0)
		r = follow_owner(walk, &st) ?: follow_link(walk, fd);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* Walks to the directory. Called by root. */
static int walk_to(const char *directory, struct folder *folder)
{
	struct walk walk = { .fd = -1, .folder = folder };
	int r;

	walk.rest = strdup(directory);
	r = walk.rest ? step_to(&walk, *directory == '/' ? "/" : ".") : -ENOMEM;
	while (r == 0 && *walk.rest)
		r = walk_one(&walk);
	free(walk.rest);
	if (walk.stay.changed)
		restore(&walk.stay);
	if (r < 0) {
		if (walk.fd >= 0)
			(void)close(walk.fd);
		return r;
	}
	return walk.fd;
}

static int open_directory(const char *directory, struct folder *folder)
{
	int fd;

	if (geteuid() == 0)
		return walk_to(directory, folder);
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int folder_open(const char *path, struct folder *ret)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct folder folder = { .fd = -1 };
	char *directory;
	struct stat st;
	int r = 0;

	if (!*path)
		return -ENOENT;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EISDIR;
	directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	folder.name = strdup(name);
	if (!directory || !folder.name)
		r = -ENOMEM;
	if (r == 0) {
		folder.fd = open_directory(directory, &folder);
		r = folder.fd < 0 ? folder.fd : 0;
	}
	if (r == 0 && fstat(folder.fd, &st) < 0)
		r = -errno;
	free(directory);
	if (r < 0) {
		folder_close(&folder);
		return r;
	}
	folder.user = st.st_uid;
	folder.group = st.st_gid;
	folder.mode = st.st_mode;
	*ret = folder;
	return 0;
}

int folder_copy(const struct folder *folder, struct folder *ret)
{
	size_t size = folder->guest.n_groups * sizeof(gid_t);

	*ret = *folder;
	ret->name = strdup(folder->name);
	ret->guest.groups = malloc(size + 1);
	if (ret->guest.groups && size > 0)
		(void)memcpy(ret->guest.groups, folder->guest.groups, size);
	ret->fd = fcntl(folder->fd, F_DUPFD_CLOEXEC, 0);
	if (ret->name && ret->guest.groups && ret->fd >= 0)
		return 0;
	folder_close(ret);
	return errno == EMFILE || errno == ENFILE ? -errno : -ENOMEM;
}

void folder_close(struct folder *folder)
{
	if (folder->fd >= 0)
		(void)close(folder->fd);
	free(folder->name);
	free(folder->guest.groups);
	*folder = (struct folder){ .fd = -1 };
}

/* ---- files in it ---- */

int folder_find(const struct folder *folder, const char *name, int *ret_fd, struct stat *ret)
{
	int fd = openat(folder->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret) < 0)
		r = -errno;
	else if (S_ISLNK(ret->st_mode))
		r = -ELOOP;
	else if (!S_ISREG(ret->st_mode))
		r = -EBADMSG;
	if (r < 0)
		(void)close(fd);
	else
		*ret_fd = fd;
	return r;
}

int folder_open_file(const struct folder *folder, const char *name, int found, int flags)
{
	struct stat before, after;
	char path[32];
	int fd;

	if (folder_path_of(found, path)) {
		fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
		return fd < 0 ? -errno : fd;
	}
	fd = openat(folder->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(found, &before) == 0 && fstat(fd, &after) == 0 && is_same_file(&before, &after))
		return fd;
	(void)close(fd);
	return -ESTALE;
}

static bool anybody_may_replace(const struct folder *folder)
{
	return (folder->mode & (S_IWOTH | S_ISVTX)) == S_IWOTH;
}

int folder_trusts(const struct folder *folder, const struct stat *file)
{
	if (file->st_uid != 0 && file->st_uid != geteuid() && file->st_uid != folder->user)
		return -EKEYREJECTED;
	return file->st_mode & S_IWOTH || anybody_may_replace(folder) ? -EKEYREVOKED : 0;
}

int folder_welcomes(const struct folder *folder)
{
	uid_t user = geteuid();

	if (anybody_may_replace(folder))
		return -EKEYREVOKED;
	return user == 0 || user == folder->user || !(folder->mode & S_IWGRP) || folder->mode & S_IWOTH ? 0 : -ENOKEY;
}

static int random_name(const struct folder *folder, char **ret)
{
	unsigned char bytes[RANDOM_DIGITS / 2];
	char digits[RANDOM_DIGITS + 1];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO; /* so few bytes are had at once, or not at all */
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
	return asprintf(ret, "%s.%s.new", folder->name, digits) < 0 ? -ENOMEM : 0;
}

bool folder_path_of(int fd, char ret[static 32])
{
	(void)snprintf(ret, 32, "/proc/self/fd/%d", fd);
	return access(ret, F_OK) == 0;
}

/* Gives the file that name by a hard link. */
static int link_as(const struct folder *folder, const struct folder_file *file, const char *name)
{
	char path[32];

	if (file->name)
		return linkat(folder->fd, file->name, folder->fd, name, 0) < 0 ? -errno : 0;
	(void)folder_path_of(file->fd, path);
	return linkat(AT_FDCWD, path, folder->fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int folder_make(const struct folder *folder, struct folder_file *ret)
{
	struct folder_file file = { .fd = openat(folder->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) };
	char path[32];
	int r;

	if (file.fd >= 0 && folder_path_of(file.fd, path)) {
		*ret = file;
		return 0;
	}
	if (file.fd >= 0)
		(void)close(file.fd);
	r = random_name(folder, &file.name);
	if (r < 0)
		return r;
	file.fd = openat(folder->fd, file.name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file.fd < 0) {
		r = -errno;
		free(file.name);
		return r;
	}
	*ret = file;
	return 0;
}

static void forget_name(const struct folder *folder, struct folder_file *file)
{
	if (file->name)
		(void)unlinkat(folder->fd, file->name, 0);
	free(file->name);
	file->name = NULL;
}

int folder_publish(const struct folder *folder, struct folder_file *file, const char *name)
{
	int r = link_as(folder, file, name);

	if (r == 0)
		forget_name(folder, file);
	return r;
}

int folder_replace(const struct folder *folder, struct folder_file *file, const char *name)
{
	char *temporary = NULL;
	int r = 0;

	if (!file->name) {
		r = random_name(folder, &temporary) ?: link_as(folder, file, temporary);
		if (r < 0) {
			free(temporary);
			return r;
		}
		file->name = temporary;
	}
	if (renameat(folder->fd, file->name, folder->fd, name) < 0)
		return -errno;
	free(file->name);
	file->name = NULL;
	return 0;
}

void folder_file_close(const struct folder *folder, struct folder_file *file)
{
	if (file->fd < 0)
		return;
	forget_name(folder, file);
	(void)close(file->fd);
	file->fd = -1;
}
