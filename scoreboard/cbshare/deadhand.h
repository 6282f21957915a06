/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * deadhand.h: a second process that does nothing but watch the lease in the
 * scoreboard. When the lease is over, this gateway may have no connection any more, and
 * the process ends all connections, whatever has become of cbshare. It outlives cbshare
 * until another cbshare has renewed the lease, or all connections have ended.
 */

#include <sys/types.h>

#include "scoreboard.h"

/* Starts the process, also in place of a former process that has died. Returns its pid, or -errno. */
pid_t deadhand_start(struct score *score);

/* Ends the process, as this gateway has left and has nothing that could be ended. Nothing happens if there is none. */
void deadhand_end(void);

/* Whether pid, of a process that has ended, was this process. */
bool deadhand_is(pid_t pid);
