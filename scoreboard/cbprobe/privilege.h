/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <sys/types.h>
#pragma once

/*
 * privilege.h: --user and --chroot: from then on only what was opened before.
 */

/* Whether privilege_drop() can succeed: 0; -EPERM: only root can; -ENOENT: there is no such user. An error is
 * returned after a message. user and directory may be NULL, here and below. */
int privilege_check(const char *user, const char *directory);

/*
 * Changes this process to directory and to user, after privilege_check(). Without
 * user, root becomes owner, with group if that user has no group of its own: the
 * contents of another user's scoreboard must not direct root. 0, or -errno after a
 * message.
 */
int privilege_drop(const char *user, const char *directory, uid_t owner, gid_t group);
