/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * listener.h: a process that takes connections in and has each served by a
 * relay of its own.
 */

#include <stdbool.h>
#include <stddef.h>

#include "scoreboard.h"
#include "settings.h"

/*
 * Serves the listening sockets (non-blocking, the listener's from now on) until
 * SIGTERM, or until it was idle for settings->exit_idle_usec. owned: nobody
 * else has these sockets, so what is in their backlog ends with them. nodes is the path
 * of the node list that SIGHUP loads anew, or NULL. Returns an exit status.
 */
int listener_run(const int *fds, size_t n_fds, bool owned, struct score *score, const struct settings *settings,
		 const char *nodes);
