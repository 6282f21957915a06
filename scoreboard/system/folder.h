/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * folder.h: the folder in which a file stands, as one open descriptor, and the
 * rules by which a file in it is made and believed.
 *
 * A user with write access to the folder can give a name to another file between
 * two system calls. So the folder is opened once. A file in it is opened once,
 * without following a link, and is looked at by fstat(2). A new file has no name,
 * or a name that cannot be guessed, until it is complete.
 *
 * A process of root uses no rights of root in a folder that is not root's:
 * folder_enter() makes the process the folder's owner until folder_leave(). The
 * owner can trick such a process only into what the owner can do anyway.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Whether fstat(2) was called for the same file. */
static inline bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The user that a process of root becomes in a folder, as a login of that user would have it. */
struct folder_guest {
	uid_t user;          /* the owner of the first folder or link on the way that was not root's */
	gid_t group;
	gid_t *groups;
	size_t n_groups;
};

/* A folder, and the name of a file in it. */
struct folder {
	int fd;              /* O_PATH; -1: not open */
	char *name;          /* of the file: one component */
	uid_t user;          /* the folder's owner, group and mode when it was opened */
	gid_t group;
	mode_t mode;
	bool is_guest;       /* a process of root has to become guest */
	struct folder_guest guest; /* looked up when the folder was opened: a process that is confined later cannot do that */
};

/* The identity of the process before folder_enter(). */
struct folder_stay {
	bool changed;
	gid_t group;
	int n_groups;
	gid_t *groups;
	int death_signal;    /* that the process gets when its parent dies; 0: none */
	pid_t parent;
};

/* A file that is being made. */
struct folder_file {
	int fd;              /* open for reading and writing; -1: none */
	char *name;          /* a random name in the folder; NULL: the file has no name */
};

/*
 * Opens the folder of path. Where root meets a folder or link that is not root's,
 * the process walks the rest of the way as its owner. 0 and *ret, to be
 * ended by folder_close(); -ENOENT, -ENOTDIR, -ELOOP, -EISDIR (path names no
 * file) and what open(2) says.
 */
int folder_open(const char *path, struct folder *ret);

/* Makes a copy, with a descriptor of its own. 0 and *ret, to be ended by folder_close(); or -errno. */
int folder_copy(const struct folder *folder, struct folder *ret);

/* Closes and frees. A folder that is zeroed but for fd -1, or closed already, is fine. */
void folder_close(struct folder *folder);

/*
 * Gives the process the rights of the folder's owner until folder_leave(), if the
 * process is root's and the folder is not; else nothing changes. Not for two
 * folders at once. 0 and *ret; or -errno, and nothing has changed.
 */
int folder_enter(const struct folder *folder, struct folder_stay *ret);

/*
 * Ends what folder_enter() began. A process that cannot become root again is aborted. The kernel forgets with each change
 * of the identity which signal the process gets when its parent dies (PR_SET_PDEATHSIG). So that is set again, and if the
 * parent has died meanwhile, the process sends itself that signal.
 */
void folder_leave(struct folder_stay *stay);

/*
 * Opens the file name of the folder as O_PATH, which has no effect on the file.
 * 0, *ret_fd (the caller's, close-on-exec) and what fstat(2) says of it in *ret;
 * -ENOENT; -ELOOP: a symbolic link; -EBADMSG: no regular file; or -errno. This
 * and all functions below are called between folder_enter() and folder_leave().
 */
int folder_find(const struct folder *folder, const char *name, int *ret_fd, struct stat *ret);

/*
 * Opens the file name, which folder_find() opened as found, with flags as open(2) has them. A descriptor (the caller's,
 * close-on-exec); -ESTALE: another file has the name now, and /proc is missing, which would open the file behind found
 * whatever its name; or -errno.
 */
int folder_open_file(const struct folder *folder, const char *name, int found, int flags);

/*
 * Whether a file in the folder is believed. 0: yes. -EKEYREJECTED: it belongs to
 * neither this user, nor root, nor the folder's owner. -EKEYREVOKED: every user
 * may write it, or may replace it (in a folder that every user may write and that
 * has no sticky bit).
 */
int folder_trusts(const struct folder *folder, const struct stat *file);

/*
 * Whether other users believe a file that this process makes in the folder. 0:
 * yes. -ENOKEY: the process may write the folder only by its group, and others do
 * not believe files of a mere member. -EKEYREVOKED as above.
 */
int folder_welcomes(const struct folder *folder);

/* Makes an empty file of mode 0600; it has no name where the file system and /proc allow that. 0 and *ret, to be ended
 * by folder_file_close(); or -errno. */
int folder_make(const struct folder *folder, struct folder_file *ret);

/* Gives the file its name. 0; -EEXIST; or -errno. */
int folder_publish(const struct folder *folder, struct folder_file *file, const char *name);

/* As folder_publish(), but replaces a file that has the name, in one step. 0 or -errno. */
int folder_replace(const struct folder *folder, struct folder_file *file, const char *name);

/* Closes the file; without folder_publish() or folder_replace() the file is gone then. Harmless if there is none. */
void folder_file_close(const struct folder *folder, struct folder_file *file);

/* Writes a path by which the file behind an open descriptor can be opened again, whatever its name. Returns whether
 * /proc can be used for that. */
bool folder_path_of(int fd, char ret[static 32]);
