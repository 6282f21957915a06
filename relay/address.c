/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "system/text.h"

/* An IPv4 address of four bytes, and a port. */
static void format_4(const void *address, unsigned port, char buffer[static ADDRESS_MAX])
{
	const unsigned char *bytes = address;
	struct text text = text_begin(buffer, ADDRESS_MAX);

	for (unsigned i = 0; i < 4; i++) {
		text_add_number(&text, bytes[i], 1);
		text_add(&text, i < 3 ? "." : ":");
	}
	text_add_number(&text, port, 1);
}

const char *address_format(const struct sockaddr *address, socklen_t size, char buffer[static ADDRESS_MAX])
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)size;
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

		format_4(&in->sin_addr, ntohs(in->sin_port), buffer);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;

		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			format_4(in6->sin6_addr.s6_addr + 12, ntohs(in6->sin6_port), buffer);
		} else {
			(void)inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
			(void)snprintf(buffer, ADDRESS_MAX, "[%s]:%u", text, ntohs(in6->sin6_port));
		}
	} else {
		(void)snprintf(buffer, ADDRESS_MAX, address->sa_family == AF_UNIX ? "unix" : "unknown");
	}
	return buffer;
}

const char *address_peer(int fd, char buffer[static ADDRESS_MAX])
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	struct ucred peer;

	if (getpeername(fd, (struct sockaddr *)&address, &size) < 0) {
		(void)snprintf(buffer, ADDRESS_MAX, "unknown");
		return buffer;
	}
	if (address.ss_family == AF_UNIX) {
		size = sizeof(peer);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
			(void)snprintf(buffer, ADDRESS_MAX, "unix:%ld", (long)peer.pid);
			return buffer;
		}
	}
	return address_format((const struct sockaddr *)&address, size, buffer);
}

const char *address_local(int fd, char buffer[static ADDRESS_MAX])
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		(void)snprintf(buffer, ADDRESS_MAX, "unknown");
		return buffer;
	}
	return address_format((const struct sockaddr *)&address, size, buffer);
}
