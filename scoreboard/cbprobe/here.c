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
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_loopback(const struct score_address *address)
{
	return address->sa.sa_family == AF_INET ? ntohl(address->in.sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET
						: IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
}

/* Whether a connection can come from the address: 1, 0, or -errno: that cannot be told. */
static int can_come_from(int fd, const struct score_address *address)
{
	struct sockaddr_in from = address->in;

	from.sin_port = 0;
	if (bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0)
		return errno == EADDRNOTAVAIL ? 0 : -errno;
	return connect(fd, &address->sa, address->size) == 0;
}

static int comes_from(int fd, const struct score_address *address)
{
	const struct sockaddr_in6 *to = &address->in6;
	struct sockaddr_in6 from = { 0 };
	socklen_t size = sizeof(from);

	if (connect(fd, &address->sa, address->size) < 0)
		return 0;
	if (getsockname(fd, (struct sockaddr *)&from, &size) < 0)
		return -errno;
	return IN6_ARE_ADDR_EQUAL(&from.sin6_addr, &to->sin6_addr);
}

bool here_is(const struct score_address *address)
{
	int fd, r;

	if (is_loopback(address))
		return true;
	fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	r = address->sa.sa_family == AF_INET ? can_come_from(fd, address) : comes_from(fd, address);
	(void)close(fd);
	return r != 0;
}
