/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * address.h: an address of a node, ready for connect(2). Plain data.
 */

#include <netinet/in.h>
#include <sys/socket.h>

#define SCORE_ADDRESSES_MAX 16 /* addresses kept of one node */

struct score_address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;   /* AF_INET */
		struct sockaddr_in6 in6; /* AF_INET6 */
	};
	socklen_t size;
};
