/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * mirror.h: nodes that are the listener itself, by a mistake in the node list. A
 * connection that is given to such a node comes back as another client, and waits
 * for a second slot while it holds the first: when all slots are held so, no
 * connection of the farm is served any more.
 */

#include <stdbool.h>
#include <stddef.h>

#include "relay.h"
#include "scoreboard.h"

/* The addresses at which this listener listens. */
struct entrances {
	struct entrance {
		struct score_address address;
		bool takes_ipv4;       /* as well as IPv6 */
	} items[RELAY_SOCKETS_MAX];
	size_t n;
};

/* Fills *ret from n listening sockets. Unix sockets are left out: no node has such an address. */
void entrances_get(const int *fds, size_t n, struct entrances *ret);

/* Tells of each node that has the address of an entrance. */
void mirror_tell(struct score *score, const struct entrances *entrances);
