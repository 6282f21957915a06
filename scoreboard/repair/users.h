/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * users.h: which processes have the scoreboard open, by /proc. When it can
 * no longer be read who holds a slot, it is one of them or nobody.
 */

#include <stddef.h>
#include <sys/stat.h>

#include "system/holder.h"

#define USERS_LINK_MAX 64

/*
 * All processes that have the scoreboard at path open, whose file is file, or a
 * file that had its name before; or that may have it: cbrelays and cbprobes whose
 * descriptors are hidden from this process. *ret is the caller's to free. 0 or
 * -errno.
 */
int users_find(const struct stat *file, const char *path, struct holder **ret, size_t *ret_n);

/* Asks each of them what it holds: each wake-up port (see wake.h) that it has is sent a datagram for that. */
void users_wake(const struct stat *file, const char *path);

/* Whether a process that lives has it open, or may have it as its descriptors are hidden from this process. */
bool users_may_have(const struct stat *file, const char *path, const struct holder *holder);

/*
 * Of the files that had the name path, and have none now, the one that lost it last, of those that a process has open:
 * *ret is what fstat(2) says of it, and ret_link a name to open it by, for the moment. 0; -ENOENT: there is none, as far
 * as this process may see; or -errno.
 */
int users_removed(const char *path, struct stat *ret, char ret_link[static USERS_LINK_MAX]);
