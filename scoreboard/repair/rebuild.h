/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * rebuild.h: a damaged scoreboard is rebuilt from what can still be read of it.
 */

#include "types.h"

struct folder;
struct score;

/*
 * Makes a scoreboard of what can be read of the open file fd, which has or had
 * the folder's name, and gives the new file that name. fd is closed in any case;
 * fd -1 is the file that has the name. Nothing is done if another file has the
 * name by now: another process has rebuilt it. A copy of a damaged file is kept.
 * path is for messages. 0; -EBADMSG, -EPROTO: the file is no scoreboard of this
 * version; or -errno.
 */
int rebuild(const struct folder *folder, int fd, const char *path);

/*
 * Makes a scoreboard of this version of the file with the folder's name, which an
 * earlier version made: slots and tickets stay their holders'. Processes of the
 * earlier version that have the file open do not use the new file: what they hold
 * is free when they have ended. 0: done, also if another process did it;
 * -EPROTO: this version cannot read that file; or as rebuild().
 */
int rebuild_upgraded(const struct folder *folder, const char *path);

/* No file has the name: puts back the file that was removed, if a process has it open. If this process may not see what
 * others have open, waits a little for one of them to put it back. 0; -ENOENT, -EACCES: no process has it, as far as
 * this process knows; -EBUSY: processes of the farm have it, and do not answer; or as rebuild(). */
int rebuild_removed(const struct folder *folder, const char *path);

/* What the scoreboard says of slots is not true, as processes of the farm hold slots of another file: all its slots count
 * as taken until each process has said which it holds. Nothing is done if another process has done it. 0 or -errno. */
int rebuild_unheard(struct score *s);

/*
 * An operation met damage, or its file is not the scoreboard any more. Goes over
 * to the file that is the scoreboard, puts a removed file back, repairs the file in
 * place, or else rebuilds it. Loads the node list if nodes were lost.
 * 0: the operation may be tried again; -EUCLEAN: damaged, and this process leaves that to others; or -errno.
 */
int repair_now(struct score *s);
