/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <sys/types.h>
#pragma once

/*
 * privilege.h: --user and --chroot: nothing more than what was opened before.
 */

/* Whether we could: 0; -EPERM if only root can; -ENOENT if there is no such user. What is wrong was said. Either may
 * be NULL, here and below. */
int privilege_check(const char *user, const char *directory);

/*
 * Goes to live in directory and as user, after privilege_check(). Without user,
 * root becomes owner, with group if there is no such user's own: what stands in a
 * scoreboard of another user must not move root. 0 or -errno; what went wrong was said.
 */
int privilege_drop(const char *user, const char *directory, uid_t owner, gid_t group);
