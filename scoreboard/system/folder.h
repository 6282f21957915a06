/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * folder.h: the folder in which a file stands, as one open descriptor, and the
 * rules by which a file in it is made and believed.
 *
 * A name can be given to another file between two system calls by whoever may
 * write the folder. So the folder is opened once; a file in it is opened once,
 * without following a link, and is looked at by fstat(2); a new file has no name,
 * or one that nobody can guess, until it is complete.
 *
 * Root does nothing with its own rights in a folder that is not root's:
 * folder_enter() makes the process the folder's owner until folder_leave(). What
 * that owner could be tricked into, the owner can do anyway.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A folder, and the name of the file in it that this is about. */
struct folder {
	int fd;              /* O_PATH; -1: not open */
	char *name;          /* of the file: one component */
	uid_t user;          /* the folder's owner, group and mode when it was opened */
	gid_t group;
	mode_t mode;
	bool is_guest;       /* root has to become the user below */
	uid_t guest;         /* the owner of the first folder or link on the way that was not root's */
	gid_t guest_group;
};

/* What the process was before folder_enter(). */
struct folder_stay {
	bool changed;
	gid_t group;
	int n_groups;
	gid_t *groups;
};

/* A file that is being made. */
struct folder_file {
	int fd;              /* open for reading and writing; -1: none */
	char *name;          /* a random one in the folder; NULL: it has none */
};

/*
 * Opens the folder of path. Where root follows a folder or link that is not
 * root's, the rest of the way is gone as the owner of that. 0 and *ret, to be
 * ended by folder_close(); -ENOENT, -ENOTDIR, -ELOOP, -EISDIR (path names no
 * file) and what open(2) says.
 */
int folder_open(const char *path, struct folder *ret);

/* Makes a copy, with a descriptor of its own. 0 and *ret, to be ended by folder_close(); or -errno. */
int folder_copy(const struct folder *folder, struct folder *ret);

/* Closes and frees; one that is zeroed but for fd -1, or closed already, is fine. */
void folder_close(struct folder *folder);

/*
 * Until folder_leave() the process has the rights of the folder's owner, if it is
 * root and the folder is not root's; else nothing changes. Not for two folders
 * at once. 0 and *ret, or -errno and nothing has changed.
 */
int folder_enter(const struct folder *folder, struct folder_stay *ret);

/* Ends what folder_enter() began. A process that cannot become root again is aborted. */
void folder_leave(struct folder_stay *stay);

/*
 * Opens the file name of the folder as O_PATH, which touches nothing of it.
 * 0, *ret_fd (the caller's, close-on-exec) and what fstat(2) says of it in *ret;
 * -ENOENT; -ELOOP: a symbolic link; -EBADMSG: no regular file; or -errno.
 * Between folder_enter() and folder_leave(), as all below.
 */
int folder_find(const struct folder *folder, const char *name, int *ret_fd, struct stat *ret);

/*
 * Opens the file that folder_find() found under that name as found, with flags as open(2) has them. A descriptor
 * (the caller's, close-on-exec), or -errno; -ESTALE: another file has the name now, and /proc, by which the descriptor
 * alone says which file is meant, is missing.
 */
int folder_open_file(const struct folder *folder, const char *name, int found, int flags);

/*
 * Whether a file in the folder is believed: 0; -EKEYREJECTED: it belongs to
 * neither this user, nor root, nor the folder's owner; -EKEYREVOKED: everybody
 * may write it, or replace it, which is so in a folder that everybody may write
 * and that has no sticky bit.
 */
int folder_trusts(const struct folder *folder, const struct stat *file);

/*
 * Whether others believe what this process makes in the folder: 0; -ENOKEY: it
 * is one of the folder's group, whose files nobody else believes; -EKEYREVOKED as
 * above.
 */
int folder_welcomes(const struct folder *folder);

/* Makes an empty file of mode 0600, as one without a name where the file system and /proc allow that. 0 and *ret, to be
 * ended by folder_file_close(); or -errno. */
int folder_make(const struct folder *folder, struct folder_file *ret);

/* Gives the file its name. 0; -EEXIST; or -errno. */
int folder_publish(const struct folder *folder, struct folder_file *file, const char *name);

/* The same where there is a file of that name, which is replaced in one step. 0 or -errno. */
int folder_replace(const struct folder *folder, struct folder_file *file, const char *name);

/* Closes the file; without folder_publish() or folder_replace() nothing of it is left. Harmless if there is none. */
void folder_file_close(const struct folder *folder, struct folder_file *file);

/* Writes a path by which the file behind an open descriptor can be opened again, whatever its name. Whether /proc can
 * be used for that. */
bool folder_path_of(int fd, char ret[static 32]);
