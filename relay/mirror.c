/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * mirror.c: a socket that listens on all addresses has those of this machine. An
 * address is this machine's if the kernel would send from it what is sent to it, or
 * if it is a loopback address. (bind(2) may succeed with any address, see
 * ip_nonlocal_bind, and a service may not ask for the list of addresses.)
 */

#include "mirror.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "report.h"

/* A listening socket. */
struct entrance {
	struct score_address address;
	bool takes_ipv4;   /* as well as IPv6 */
};

struct mirror {
	const int *fds;
	size_t n;
};

static bool get_entrance(int fd, struct entrance *ret)
{
	int only = 1;
	socklen_t size = sizeof(only);

	*ret = (struct entrance){ .address.size = sizeof(ret->address.in6) };
	if (getsockname(fd, &ret->address.sa, &ret->address.size) < 0)
		return false;
	ret->takes_ipv4 = ret->address.sa.sa_family == AF_INET6 &&
			  getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && !only;
	return ret->address.sa.sa_family == AF_INET || ret->address.sa.sa_family == AF_INET6;
}

static in_port_t port_of(const struct score_address *address)
{
	return address->sa.sa_family == AF_INET ? address->in.sin_port : address->in6.sin6_port;
}

static bool is_same_host(const struct score_address *a, const struct score_address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	return a->sa.sa_family == AF_INET ? a->in.sin_addr.s_addr == b->in.sin_addr.s_addr
					  : IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

static bool is_any(const struct score_address *address)
{
	return address->sa.sa_family == AF_INET ? address->in.sin_addr.s_addr == htonl(INADDR_ANY)
						: IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

static bool is_loopback(const struct score_address *address)
{
	return address->sa.sa_family == AF_INET ? ntohl(address->in.sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET
						: IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
}

static bool is_of_this_machine(const struct score_address *address)
{
	struct score_address own = { .size = sizeof(own.in6) };
	bool is = is_loopback(address);
	int fd;

	if (is)
		return true;
	fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	is = connect(fd, &address->sa, address->size) == 0 && getsockname(fd, &own.sa, &own.size) == 0 &&
	     is_same_host(&own, address);
	(void)close(fd);
	return is;
}

static bool leads_to(const struct score_address *address, const struct entrance *entrance)
{
	if (port_of(address) != port_of(&entrance->address))
		return false;
	if (is_same_host(address, &entrance->address))
		return true;
	return is_any(&entrance->address) &&
	       (address->sa.sa_family == entrance->address.sa.sa_family || entrance->takes_ipv4) && is_of_this_machine(address);
}

static int tell_if_mirror(const struct score_node *node, void *arg)
{
	const struct mirror *mirror = arg;
	struct entrance entrance;

	for (size_t i = 0; i < mirror->n; i++) {
		if (!get_entrance(mirror->fds[i], &entrance))
			continue;
		for (unsigned j = 0; j < node->n_addresses; j++) {
			if (!leads_to(&node->addresses[j], &entrance))
				continue;
			report_message(LOG_WARNING,
				       "%s: this node is the listener itself: each connection that it gets comes back, and waits "
				       "for another slot", node->config.name);
			return 0;
		}
	}
	return 0;
}

void mirror_tell(struct score *score, const int *fds, size_t n)
{
	(void)score_each_node(score, tell_if_mirror, &(struct mirror){ .fds = fds, .n = n });
}
