/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * users.h: which processes have the scoreboard open, by /proc. When the holder
 * of a slot cannot be read any more, it is one of these processes, or the slot
 * is free.
 */

#include <stddef.h>
#include <sys/stat.h>

#include "system/folder.h"
#include "system/holder.h"

#define USERS_LINK_MAX 64

/*
 * For all functions: folder is the scoreboard's, as this process has it open. The ports of the farm are named by it. path is
 * where the scoreboard was opened. Another folder may be there since.
 */

/*
 * Finds all processes that have the scoreboard at path open: *file, or a file
 * that had its name before. Also finds processes that may have it: cbrelays and
 * cbprobes with descriptors that are hidden from this process, and processes that
 * /proc does not show and that have a port of the farm (their start is 0). *ret is
 * the caller's to free. 0; -ESRCH: the ports cannot be seen, so processes may be missing; or -errno.
 */
int users_find(const struct stat *file, const struct folder *folder, const char *path, struct holder **ret, size_t *ret_n);

/* Asks each of these processes what it holds: sends a datagram for that to each wake-up port (see wake.h) of it. file is
 * NULL where no file has the name any more. */
void users_wake(const struct stat *file, const struct folder *folder, const char *path);

/*
 * Whether a process that lives has the scoreboard open, or may have it as its descriptors are hidden; also if this process
 * cannot tell. A process with a start of 0 was found by its port (users_find()): it has ended if the port is gone.
 */
bool users_may_have(const struct stat *file, const struct folder *folder, const char *path, const struct holder *holder);

/*
 * Finds the file that lost the name path last and has no name now, among the files that processes have open. *ret is
 * what fstat(2) says of it. ret_link is a name to open it by, which is valid for the moment. 0; -ENOENT: there is none;
 * -EBUSY: this process sees none, but processes with ports of the farm hide what they have open; -EACCES: this process sees
 * neither, but cbrelays or cbprobes hide what they have open; or -errno.
 */
int users_removed(const struct folder *folder, const char *path, struct stat *ret, char ret_link[static USERS_LINK_MAX]);
