/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Both ends in one form. family 0: not a pair that can be told. */
struct pair {
	sa_family_t family;
	uint8_t source[16], destination[16];
	in_port_t source_port, destination_port; /* network order */
};

static sa_family_t take(const struct sockaddr *address, uint8_t bytes[static 16], in_port_t *port)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

		(void)memcpy(bytes, &in->sin_addr, 4);
		*port = in->sin_port;
		return AF_INET;
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;

		*port = in6->sin6_port;
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			(void)memcpy(bytes, in6->sin6_addr.s6_addr + 12, 4);
			return AF_INET;
		}
		(void)memcpy(bytes, &in6->sin6_addr, 16);
		return AF_INET6;
	}
	return 0;
}

static struct pair make_pair(const struct sockaddr *peer, const struct sockaddr *local)
{
	struct pair pair = { 0 };

	pair.family = take(peer, pair.source, &pair.source_port);
	if (take(local, pair.destination, &pair.destination_port) != pair.family)
		pair.family = 0;
	return pair;
}

static size_t write_v1(const struct pair *pair, unsigned char *ret)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	int n;

	if (pair->family == 0) {
		n = snprintf((char *)ret, PROXY_HEADER_MAX, "PROXY UNKNOWN\r\n");
	} else {
		(void)inet_ntop(pair->family, pair->source, source, sizeof(source));
		(void)inet_ntop(pair->family, pair->destination, destination, sizeof(destination));
		n = snprintf((char *)ret, PROXY_HEADER_MAX, "PROXY TCP%c %s %s %u %u\r\n",
			     pair->family == AF_INET ? '4' : '6', source, destination,
			     ntohs(pair->source_port), ntohs(pair->destination_port));
	}
	return (size_t)n;
}

static size_t write_v2(const struct pair *pair, unsigned char *ret)
{
	static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	size_t address = pair->family == AF_INET ? 4 : 16, n = 16;
	uint16_t length;

	(void)memcpy(ret, signature, sizeof(signature));
	if (pair->family == 0) {
		(void)memcpy(ret + 12, "\x20\0\0\0", 4); /* LOCAL, nothing follows */
		return n;
	}
	ret[12] = 0x21;
	ret[13] = pair->family == AF_INET ? 0x11 : 0x21;
	length = htons((uint16_t)(2 * address + 4));
	(void)memcpy(ret + 14, &length, 2);
	(void)memcpy(ret + n, pair->source, address);
	(void)memcpy(ret + n + address, pair->destination, address);
	n += 2 * address;
	(void)memcpy(ret + n, &pair->source_port, 2);
	(void)memcpy(ret + n + 2, &pair->destination_port, 2);
	return n + 4;
}

size_t proxy_header_write(enum node_proxy version, const struct sockaddr *peer, const struct sockaddr *local,
			  unsigned char ret[static PROXY_HEADER_MAX])
{
	struct pair pair = make_pair(peer, local);

	switch (version) {
	case NODE_PROXY_V1:
		return write_v1(&pair, ret);
	case NODE_PROXY_V2:
		return write_v2(&pair, ret);
	default:
		return 0;
	}
}
