/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * proxy_header.h: tells a node who its client is, by the PROXY protocol
 * (haproxy's doc/proxy-protocol.txt, versions 1 and 2). Bytes alone: relays
 * send them before a client's, and the prober before a check's.
 */

#include <stddef.h>
#include <sys/socket.h>

#include "list/nodelist.h"

#define PROXY_HEADER_MAX 232 /* version 2 with unix addresses; version 1 needs 107 */

/*
 * Writes the header for a connection from peer to local, both as the client
 * socket has them (an IPv4-mapped pair is IPv4). Other than IPv4 and IPv6
 * pairs are UNKNOWN, or LOCAL. Returns its length in bytes; 0 for NODE_PROXY_OFF.
 */
size_t proxy_header_write(enum node_proxy version, const struct sockaddr *peer, const struct sockaddr *local,
			  unsigned char ret[static PROXY_HEADER_MAX]);
