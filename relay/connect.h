/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * connect.h: reaches a node.
 */

#include <stdbool.h>
#include <stdint.h>

#include "opening.h"
#include "scoreboard.h"

enum connect_outcome {
	CONNECT_DONE,
	CONNECT_RESET,        /* the node took the connection and has reset it already: ret->fd has what it said */
	CONNECT_FAILED,       /* no address of the node answered: *ret_reason says why */
	CONNECT_CLIENT_GONE,  /* the client has left meanwhile */
	CONNECT_INTERRUPTED,  /* SIGTERM */
	CONNECT_NO_RESOURCES, /* this machine is short of descriptors, ports or memory: errno; not the node's fault */
};

/* How the connect went, as far as the outcome has it. */
struct connect_result {
	int fd;                  /* DONE, RESET: the caller's */
	struct score_address own; /* DONE, RESET: of that socket */
	unsigned reached;        /* DONE, RESET: the number of the address that was reached */
	uint32_t unreached;      /* bits: addresses that were tried in vain */
	enum node_reason reason; /* FAILED */
};

/* The client for which a node is connected. */
struct connect_client {
	int fd;
	struct opening *opening;
	bool may_offer;          /* what the client says is the first that the node is sent: see opening_offer() */
};

/*
 * Connects to the node within timeout_usec, all its addresses together, while
 * watching the client. While an address has not answered, the next address is
 * tried a quarter of a second later. DONE: ret->fd is a connected socket,
 * non-blocking, close-on-exec, which a plain close(2) resets (see socket.h). At
 * DONE and RESET ret->fd is the caller's. It has no keepalive and no TCP_NODELAY
 * yet: most connections are over before these would matter.
 */
enum connect_outcome connect_node(const struct score_target *target, uint64_t timeout_usec, const struct connect_client *client,
				  struct connect_result *ret);
