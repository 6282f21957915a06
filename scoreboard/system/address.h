/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * address.h: an address, ready for connect(2): plain data, of IPv4 or IPv6.
 */

#include <netinet/in.h>
#include <stdbool.h>
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

/* Whether two addresses are of the same host, and of the same family. */
bool address_is_same_host(const struct score_address *a, const struct score_address *b);

/* The same, and with the same port. */
bool address_is_same(const struct score_address *a, const struct score_address *b);

/* The port, in network order. */
in_port_t address_port(const struct score_address *address);

/* Whether an address of any family is a loopback address, or such an address of IPv4 in IPv6. */
bool address_is_loopback(const struct sockaddr *address);
