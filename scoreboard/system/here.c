/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * here.c: asks the kernel's routing, by UDP sockets that send nothing. A
 * connection can come only from an address of this machine. A list of addresses
 * would need AF_NETLINK, which the units do not allow.
 *
 * Where ip_nonlocal_bind is set, IPv4 lets a socket be bound to any address, but
 * not connect from a foreign address. IPv4 does not take the destination as the
 * source: towards a second address of an interface the source is the first address.
 * IPv6 takes the destination itself as the source if it is this machine's.
 */

#include "here.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whether the kernel sends from the address what is sent to it: 1, 0, or -errno: that cannot be told. */
static int comes_from(int fd, const struct score_address *address)
{
	struct score_address from = { .size = sizeof(from.in6) };

	if (connect(fd, &address->sa, address->size) < 0)
		return 0;
	if (getsockname(fd, &from.sa, &from.size) < 0)
		return -errno;
	return address_is_same_host(&from, address);
}

/* The same for IPv4. A unit with SocketBindDeny= may bind nothing: then only the first address of an interface is found. */
static int can_come_from(int fd, const struct score_address *address)
{
	struct sockaddr_in from = address->in;

	from.sin_port = 0;
	if (bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0)
		return errno == EADDRNOTAVAIL ? 0 : errno == EPERM || errno == EACCES ? comes_from(fd, address) : -errno;
	return connect(fd, &address->sa, address->size) == 0;
}

bool here_is(const struct score_address *address)
{
	int fd, r;

	if (address_is_loopback(&address->sa))
		return true;
	fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	r = address->sa.sa_family == AF_INET ? can_come_from(fd, address) : comes_from(fd, address);
	(void)close(fd);
	return r != 0;
}
