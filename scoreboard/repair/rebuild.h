/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * rebuild.h: a damaged scoreboard is rebuilt from what can still be read of it.
 */

#include <stdint.h>

#include "scoreboard.h"

/*
 * Rebuilds the scoreboard at path, in its place, and keeps a copy of the
 * damaged one; known is the generation in which the damage was met, 0 if that
 * could not be read. If it has another by now somebody else has done it.
 * 0; -EBADMSG, -EPROTO: it is none of ours; or -errno.
 */
int mend_rebuild(const char *path, uint16_t known);

/* An operation met damage: compares and mends, or else rebuilds, and loads the node list if nodes were lost.
 * 0: the operation may be tried again; or -errno. */
int mend(struct score *s);
