/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * listener.h: a process that takes connections in and has each served by a
 * separate process, a relay.
 */

#include <stdbool.h>
#include <stddef.h>

#include "mirror.h"
#include "scoreboard.h"
#include "settings.h"
#include "waiters.h"

/* What a listener is given; all of it stays the caller's, but for the descriptors. */
struct listener_setup {
	const int *fds;                  /* the listening sockets, non-blocking */
	size_t n_fds;
	bool owned;                      /* no other program has the sockets: their backlog ends with this process */
	const struct handover *waiters;  /* of the previous listener */
	size_t n_waiters;
	const int *formers;              /* its listening sockets, see former.h */
	size_t n_formers;
	const struct entrances *entrances; /* those of fds */
	struct score *score;
	int farm_fd;                     /* relays keep it open, see alone.h; or -1 */
	const struct settings *settings;
	const char *nodes;               /* the path of the node list that SIGHUP loads anew, or NULL */
	const char *wrong;               /* what is wrong with that list, or NULL: told in the status while there is no node */
};

/* Serves until SIGTERM, or until the listener was idle for settings->exit_idle_usec. Returns an exit status. */
int listener_run(const struct listener_setup *setup);
