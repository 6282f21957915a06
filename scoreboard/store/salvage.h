/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * salvage.h: reads what can still be read of a damaged scoreboard.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "store.h"

struct folder;
struct salvage;

/*
 * Reads the file that fd has open. fd is the salvage's from now on, also when
 * this fails. fd -1: reads the file that has the folder's name. With lock, first
 * takes the lock of the file and tdb's own locks, and keeps them: this process
 * must have none of them before, and has none after the salvage is closed. The
 * folder must live as long as the salvage. 0 and *ret; 1 and *ret: not locked,
 * because another file has taken the file's place, and the file changes no more;
 * -EBADMSG: no regular file, or far too large; what folder_trusts() says; or
 * -errno.
 */
int salvage_open(const struct folder *folder, int fd, bool lock, struct salvage **ret);

/* Gives the locks up, and frees. NULL is fine. Returns NULL. */
struct salvage *salvage_close(struct salvage *salvage);

/* Whether the file was a scoreboard of this version: 0; -EBADMSG: it looks like something else; -EPROTO. */
int salvage_check(struct salvage *salvage);

/* The format of a scoreboard of an earlier version that this version can upgrade (version.h); 0: it is none. */
uint32_t salvage_format(struct salvage *salvage);

/* The number of the scoreboard's last change (store.h), as far as it is known; 0: not even its life is. */
uint64_t salvage_sequence(const struct salvage *salvage);

/* Whether a change was made to the scoreboard that the file does not have: it is an earlier copy, and what it says of slots
 * is of that time. */
bool salvage_is_earlier(const struct salvage *salvage);

/* What fstat(2) said of the file. */
const struct stat *salvage_stat(const struct salvage *salvage);

/*
 * The records, in memory; the store lives as long as the salvage. A record
 * that may be an old copy has no bytes in the store: only its name can be
 * believed.
 */
struct store *salvage_store(const struct salvage *salvage);

/* Copies the file, as it was found, to a new file in its folder: *ret is the copy's name, the caller's to free. 0 or
 * -errno. */
int salvage_keep(const struct salvage *salvage, char **ret);

/* Says that another file is the scoreboard from now on, and gives the lock up. */
void salvage_retire(struct salvage *salvage);
