/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "address.h"

bool address_is_same_host(const struct score_address *a, const struct score_address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	return a->sa.sa_family == AF_INET ? a->in.sin_addr.s_addr == b->in.sin_addr.s_addr
					  : IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

bool address_is_same(const struct score_address *a, const struct score_address *b)
{
	return address_is_same_host(a, b) && address_port(a) == address_port(b);
}

in_port_t address_port(const struct score_address *address)
{
	return address->sa.sa_family == AF_INET ? address->in.sin_port : address->in6.sin6_port;
}

bool address_is_loopback(const struct sockaddr *address)
{
	const struct in6_addr *v6;

	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
	if (address->sa_family != AF_INET6)
		return false;
	v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
	return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}
