/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *address_format(const struct sockaddr *address, socklen_t size, char buffer[static ADDRESS_MAX])
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)size;
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

		(void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		(void)snprintf(buffer, ADDRESS_MAX, "%s:%u", text, ntohs(in->sin_port));
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;

		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			(void)inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, text, sizeof(text));
			(void)snprintf(buffer, ADDRESS_MAX, "%s:%u", text, ntohs(in6->sin6_port));
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

/* One listening socket. */
static int listen_on(const struct addrinfo *info)
{
	const int on = 1;
	int fd, r;

	fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (info->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, info->ai_addr, info->ai_addrlen) < 0 ||
	    listen(fd, SOMAXCONN) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

/* Splits "[ADDR:]PORT", where ADDR may be in brackets, or "*". false if it is neither. */
static bool split(char *text, const char **ret_host, const char **ret_port)
{
	char *colon = strrchr(text, ':'), *end;
	long port;

	*ret_host = NULL;
	*ret_port = text;
	if (colon) {
		*colon = '\0';
		*ret_port = colon + 1;
		*ret_host = text;
		if (*text == '[' && colon > text + 1 && colon[-1] == ']') {
			colon[-1] = '\0';
			*ret_host = text + 1;
		} else if (strchr(text, ':')) {
			return false; /* an IPv6 address must stand in brackets */
		}
		if (**ret_host == '\0')
			return false; /* an empty address is more likely a slip than a wish for all addresses */
		if (strcmp(*ret_host, "*") == 0)
			*ret_host = NULL;
	}
	errno = 0;
	port = strtol(*ret_port, &end, 10);
	return **ret_port >= '0' && **ret_port <= '9' && !*end && !errno && port <= 65535;
}

bool address_is_listen(const char *text)
{
	const char *host, *port;
	char *copy = strdup(text);
	bool is = !copy || split(copy, &host, &port); /* without memory address_listen() says so */

	free(copy);
	return is;
}

int address_listen(const char *text, int *ret, size_t max)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM }, *infos;
	const char *host, *port;
	char *copy = strdup(text);
	size_t n = 0;
	int r = -EINVAL;

	if (!copy)
		return -ENOMEM;
	if (split(copy, &host, &port))
		r = getaddrinfo(host, port, &hints, &infos) == 0 ? 0 : -ENXIO;
	free(copy);
	if (r < 0)
		return r;
	for (const struct addrinfo *info = infos; info && n < max; info = info->ai_next) {
		int fd = listen_on(info);

		if (fd >= 0) {
			ret[n++] = fd;
			continue;
		}
		r = fd;
		/* A machine without IPv6 listens without IPv6, and one of several gateways of a name on its own addresses.
		 * Any other error is returned. */
		if (r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL)
			break;
		r = 0;
	}
	freeaddrinfo(infos);
	if (r == 0 && n == 0)
		r = -EADDRNOTAVAIL;
	if (r < 0) {
		while (n > 0)
			(void)close(ret[--n]);
		return r;
	}
	return (int)n;
}
