/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * rebuild.h: a damaged scoreboard is rebuilt from what can still be read of it.
 */

#include "scoreboard.h"

struct folder;

/*
 * Makes a scoreboard of what can be read of the open file fd, which has or had
 * the folder's name, and puts it there; fd is closed in any case, and -1 is the
 * file of that name. Nothing is done if another file has the name by now: another
 * process has done it. Of a file that was damaged a copy is kept. path is for
 * messages. 0; -EBADMSG, -EPROTO: it is no scoreboard of this version; or -errno.
 */
int rebuild(const struct folder *folder, int fd, const char *path);

/* No file has the name: puts back the one that was removed, if a process has it open. 0; -ENOENT: no process has it, as
 * far as can be seen; or as rebuild(). */
int rebuild_removed(const struct folder *folder, const char *path);

/*
 * An operation met damage, or its file is not the scoreboard any more. Goes over
 * to the file that is, puts it back if it was removed, mends it in place, or
 * else rebuilds it; and loads the node list if nodes were lost.
 * 0: the operation may be tried again; or -errno.
 */
int mend(struct score *s);
