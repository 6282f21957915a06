/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * mirror.h: nodes that are the listener itself, by a mistake in the node list. A
 * connection that is given to such a node comes back as another client, and waits
 * for a second slot while it holds the first: when all slots are held so, no
 * connection of the farm is served any more.
 */

#include <stddef.h>

#include "scoreboard.h"

/* Tells of each node that has the address of a listening socket. */
void mirror_tell(struct score *score, const int *fds, size_t n);
