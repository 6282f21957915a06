/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * file.h: a scoreboard's file: the folder in which it is, the tdb that it holds,
 * and the lock beside it. Another process may replace the file, cut it short or
 * remove it at any time; the folder stays the one that was opened.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "place.h"
#include "system/folder.h"

struct lock;
struct tdb_context;

/* How many hash chains the file has: two records each at 10,000 nodes, 32 kB when empty. */
#define STORE_HASH_SIZE 8191u

struct file {
	struct tdb_context *tdb;   /* NULL: the file could not be opened anew */
	struct folder folder;      /* open: the file's path may lead elsewhere by now, or nowhere after chroot(2) */
	struct folder_file made;   /* a new file, until it has its name */
	struct lock *lock;         /* NULL: the file is being made, and no other process knows of it */
	struct map map;            /* as file_has_places() saw it last */
	bool is_moved;             /* it saw that in this section */
	bool is_stale;             /* the file must be opened anew: it was cut short */
	bool is_gone;              /* another file is in its place */
};

/* A file that is not open; file_close() does nothing with it. */
static inline struct file file_none(void)
{
	return (struct file){ .folder.fd = -1, .made.fd = -1 };
}

/*
 * Opens an existing file, to be ended by file_close(). 0 and *ret; -ENOENT;
 * -EBADMSG: no tdb file; -ELOOP: a symbolic link; -EKEYREJECTED or -EKEYREVOKED:
 * not to be believed, see folder_trusts(); or what open(2) says. As long as the
 * file is open, its folder is, too, and the file is never looked for by another
 * way.
 */
int file_open(const char *path, struct file *ret);

/* Opens the file that has the name now, outside of sections. 0; -EIDRM: no file has the name, and nothing has changed;
 * or -errno: then nothing is open. */
int file_reopen(struct file *f);

/*
 * Makes a new, empty file, mode 0600, in a folder, of which *ret keeps a copy.
 * Until file_publish() the file has no name that another process knows, and
 * file_close() removes it. 0 and *ret; -ENOSPC; or -errno.
 */
int file_create(const struct folder *folder, struct file *ret);

/* The bytes of a file as they were at one moment, in memory that no other process can reach. */
struct file_image {
	int fd;                    /* of the memory; -1: none */
	unsigned char *bytes;
	size_t room, size;
};

/* Gets memory for an image of the file, so that nothing is left to do in the section but the copying. To be ended by
 * file_image_clear(). 0 or -errno. */
int file_image_prepare(const struct file *f, struct file_image *ret);

/* Copies the file's bytes, in a section. 0; -EAGAIN: the file has grown meanwhile; -EUCLEAN: it was cut short; or -errno. */
int file_image_take(const struct file *f, struct file_image *image);

/* Opens an image that was taken as a file of its own, to be ended by file_close(). 0 and *ret; -EBADMSG; or -errno. */
int file_image_open(struct file_image *image, struct file *ret);

/* Frees the image. */
void file_image_clear(struct file_image *image);

/* Gives a new file the name that its folder says; with instead, in place of the file that has the name. Not in a
 * section. 0; -EEXIST; or -errno. */
int file_publish(struct file *f, bool instead);

/* Closes the file. */
void file_close(struct file *f);

/* Whether the file still has its name: 1; 0: another file has it; -ENOENT: none has it; or -errno. */
int file_has_name(const struct file *f);

/* Sets mode, and user and group unless they are -1, of the open file itself: another file may have its name by now.
 * 0 or -errno. */
int file_set_owner(struct file *f, mode_t mode, uid_t user, gid_t group);

/* The open file's descriptor, which stays the file's; -1: nothing is open. */
int file_fd(const struct file *f);

/* What fstat(2) says of the file. 0 or -errno. */
int file_stat(const struct file *f, struct stat *ret);

/* Makes sure that this process uses the same page of the lock as other processes do (lock.h). A process that looks at
 * the farm once in a while calls it, outside of any section. Costs some system calls. */
void file_look(struct file *f);

/* As lock_held_until(), with the lock taken; 0 where the file has no lock yet. */
uint64_t file_held_until(const struct file *f);

/*
 * Takes the lock of the file that is the scoreboard now, which may have to be
 * opened first. 0; 1: the process that had the lock before died within its
 * section, or the file has no lock yet; -EUCLEAN: the file is replaced again and
 * again; or -errno.
 */
int file_take(struct file *f);

/* Gives the lock up. */
void file_leave(struct file *f);

/* Without the lock: if another file has this file's name by now, the next file_take() goes over to that file. The former
 * file's lock mostly says so, but a stranger may have written over what it said. */
void file_follow(struct file *f);

/*
 * Whether what tdb_parse_record() has shown in this section is the file itself,
 * and can be written to by place_write(). It is not where tdb cannot map the file,
 * and is not, to the end of the section, after tdb has mapped the file anew, as
 * another process had made it larger. The record with this key is there. Not in a
 * transaction.
 */
bool file_has_places(struct file *f, const char *key);

/* At the begin of a section: tdb has shown the record that file_has_places() is called with at place. */
void file_note_place(struct file *f, const unsigned char *place);

/* In a section, after file_note_place(), finds a record where tdb has mapped the file; as place_find(). */
bool file_find(const struct file *f, TDB_DATA key, uint32_t hash, TDB_DATA *ret);

/* What an access to the file that ended with r came to. Nothing that was read of a file is true if the file was cut short
 * meanwhile: then -EUCLEAN. */
int file_believe(int r);

/* tdb's last error: -ENOENT: no such record; -ENOSPC: the file cannot grow; -EUCLEAN: damaged; -ENOMEM; -ENOLCK; -EIO. */
int file_error(struct tdb_context *tdb);

/* The same for a commit that failed; size is the file's after the commit. tdb sets no error if the file cannot grow: the
 * error of an earlier access is still there. */
int file_commit_error(struct tdb_context *tdb, size_t size);
