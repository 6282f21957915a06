/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * privilege.h: --user and --chroot: afterwards the process has only the rights of
 * that user, inside that folder, and what it opened before.
 */

#include <sys/stat.h>

/* The user that the packages make for the prober: in the group of the relays' user, and with no other right of it. */
#define PRIVILEGE_PROBER "corebalance-probe"

/* Whether privilege_drop() can succeed: 0; -EPERM: only root can; -ENOENT: there is no such user. An error is
 * returned after a message. user and directory may be NULL, here and below. */
int privilege_check(const char *user, const char *directory);

/*
 * Changes this process to directory and to user, after privilege_check(). Without
 * user, root becomes a user to which the scoreboard, which is open, can give no new
 * right: its contents must not direct root. That is PRIVILEGE_PROBER, if there
 * is this user, and its group may write the scoreboard; else the scoreboard's
 * owner, with the scoreboard's group if that user has no group of its own. 0, or
 * -errno after a message.
 */
int privilege_drop(const char *user, const char *directory, const struct stat *scoreboard);
