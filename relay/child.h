/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * child.h: how a process that the listener has forked begins. Above all a child
 * must not inherit the sockets of other clients: a copy would hide the end of such
 * a socket.
 */

#include <stddef.h>

#include "scoreboard.h"

/* In the child: closes all descriptors except 0 to 2, those of the scoreboard and the n in keep (-1 is passed over). 0 or
 * -E2BIG. */
int child_close_others(const struct score *score, const int *keep, size_t n);

/* The same; and notes SIGTERM in the child's own way (see sigterm_inherit()), and makes the scoreboard the child's (see
 * score_after_fork()). 0 or -errno. */
int child_begin(struct score *score, const int *keep, size_t n);
