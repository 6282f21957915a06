/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * connect.h: reaches a node.
 */

#include <stdint.h>

#include "scoreboard.h"

enum connect_outcome {
	CONNECT_DONE,
	CONNECT_RESET,        /* the node took the connection and has reset it already: *ret_fd has what it said before */
	CONNECT_FAILED,       /* no address of the node answered: *ret_reason says why */
	CONNECT_CLIENT_GONE,  /* the client has left meanwhile */
	CONNECT_INTERRUPTED,  /* SIGTERM */
	CONNECT_NO_RESOURCES, /* this machine is short of descriptors, ports or memory: errno; not the node's fault */
};

/*
 * Connects to the node, one address after the other, each for at most
 * timeout_usec, while watching the client. DONE: *ret_fd is a connected
 * socket, non-blocking, close-on-exec, that is reset when it is just closed
 * (see socket.h); the caller's, as it is at RESET. It has no keepalive and no
 * TCP_NODELAY yet: most connections are over before they would matter.
 */
enum connect_outcome connect_node(const struct score_target *target, uint64_t timeout_usec, int client_fd,
				  int *ret_fd, enum node_reason *ret_reason);
