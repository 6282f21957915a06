/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool is_path(const char *text)
{
	return *text == '/' || strncmp(text, "./", 2) == 0;
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

bool listen_is_place(const char *text)
{
	const char *host, *port;
	char *copy;
	bool is;

	if (is_path(text))
		return strlen(text) < sizeof(((struct sockaddr_un *)0)->sun_path);
	copy = strdup(text);
	is = !copy || split(copy, &host, &port); /* without memory listen_at() says so */
	free(copy);
	return is;
}

/* One listening socket. */
static int listen_on(const struct sockaddr *address, socklen_t size)
{
	const int on = 1;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (address->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, address, size) < 0 || listen(fd, SOMAXCONN) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

/* Whether the address is that of a unix socket which no process has any more. A datagram socket asks without being a
 * client of a program that listens there: of another kind of socket it is told EPROTOTYPE. */
static bool is_left_behind(const struct sockaddr_un *address)
{
	struct stat st;
	int fd;
	bool is;

	if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	is = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		(void)close(fd);
	return is;
}

static int listen_at_path(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	(void)memcpy(address.sun_path, path, strlen(path)); /* the rest is zero */
	fd = listen_on((const struct sockaddr *)&address, sizeof(address));
	if (fd == -EADDRINUSE && is_left_behind(&address) && unlink(path) == 0)
		fd = listen_on((const struct sockaddr *)&address, sizeof(address));
	return fd;
}

/* A name may have an address twice, as from two lines of hosts(5). */
static bool comes_before(const struct addrinfo *first, const struct addrinfo *info)
{
	for (; first != info; first = first->ai_next)
		if (first->ai_addrlen == info->ai_addrlen && memcmp(first->ai_addr, info->ai_addr, info->ai_addrlen) == 0)
			return true;
	return false;
}

/* As listen_at(), for an ADDR, or NULL, and a PORT. */
static int listen_at_port(const char *host, const char *port, int *ret, size_t max)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM }, *infos;
	size_t n = 0;
	int r = 0;

	if (getaddrinfo(host, port, &hints, &infos) != 0)
		return -ENXIO;
	for (const struct addrinfo *info = infos; r == 0 && info; info = info->ai_next) {
		int fd;

		if (comes_before(infos, info))
			continue;
		fd = n < max ? listen_on(info->ai_addr, info->ai_addrlen) : -E2BIG;
		/* A machine without IPv6 listens without IPv6, and one of several gateways of a name on its own addresses.
		 * Any other error is returned. */
		if (fd >= 0)
			ret[n++] = fd;
		else if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
			r = fd;
	}
	freeaddrinfo(infos);
	if (r == 0 && n == 0)
		r = -EADDRNOTAVAIL;
	while (r < 0 && n > 0)
		(void)close(ret[--n]);
	return r < 0 ? r : (int)n;
}

int listen_at(const char *text, int *ret, size_t max)
{
	const char *host, *port;
	char *copy;
	int r = -EINVAL;

	if (!listen_is_place(text))
		return -EINVAL;
	if (max == 0)
		return -E2BIG;
	if (is_path(text)) {
		r = listen_at_path(text);
		if (r >= 0)
			*ret = r;
		return r < 0 ? r : 1;
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	if (split(copy, &host, &port))
		r = listen_at_port(host, port, ret, max);
	free(copy);
	return r;
}
