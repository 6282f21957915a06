/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * whole.h: files that are read and written as a whole.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct folder;

/* Reads the first size bytes of a file. 0, with *ret, which is less than size if the file ends before; or -errno. */
int whole_read(int fd, void *bytes, size_t size, size_t *ret);

/* Writes all of the bytes. 0 or -errno. */
int whole_write(int fd, const void *bytes, size_t size);

/*
 * Opens a file that others may be able to write, for reading: 0 and *ret, the
 * caller's to close; -EKEYREVOKED: it is no regular file of at most most bytes, or
 * every user may write it; or what open(2) says. A symbolic link is not followed.
 */
int whole_open(const char *path, off_t most, FILE **ret);

/* Writes a new file, in that folder, and gives it its mode. 0; or -errno: the file does not get its name. */
typedef int whole_fill(const struct folder *folder, int fd, const void *arg);

/* Replaces the file of that path in one step by what fill() writes: a reader sees the old file or the whole new one. 0, or
 * -errno, also of fill(); then the old file is as it was. */
int whole_replace_by(const char *path, whole_fill *fill, const void *arg);

/* Replaces the file of that path in one step by a file with this text, which the owner and the group may read and write. With
 * lasting the new file is on the disk then. 0 or -errno. */
int whole_replace(const char *path, const char *text, bool lasting);
