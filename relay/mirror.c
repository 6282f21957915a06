/* SPDX-License-Identifier: GPL-3.0-or-later */

/* mirror.c: a socket that listens on all addresses has those of this machine. */

#include "mirror.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <syslog.h>

#include "relay.h"
#include "report.h"
#include "system/address.h"
#include "system/here.h"

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

static bool is_any(const struct score_address *address)
{
	return address->sa.sa_family == AF_INET ? address->in.sin_addr.s_addr == htonl(INADDR_ANY)
						: IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

static bool leads_to(const struct score_address *address, const struct entrance *entrance)
{
	if (address_port(address) != address_port(&entrance->address))
		return false;
	if (address_is_same_host(address, &entrance->address))
		return true;
	return is_any(&entrance->address) &&
	       (address->sa.sa_family == entrance->address.sa.sa_family || entrance->takes_ipv4) && here_is(address);
}

static int tell_if_mirror(const struct score_node *node, void *arg)
{
	const struct entrances *entrances = *(const struct entrances **)arg;

	for (size_t i = 0; i < entrances->n; i++) {
		for (unsigned j = 0; j < node->n_addresses; j++) {
			if (!leads_to(&node->addresses[j], &entrances->items[i]))
				continue;
			report_message(LOG_WARNING,
				       "%s: this node is the listener itself: each connection that it gets comes back, and waits "
				       "for another slot", node->config.name);
			return 0;
		}
	}
	return 0;
}

void entrances_get(const int *fds, size_t n, struct entrances *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < n && ret->n < RELAY_SOCKETS_MAX; i++)
		ret->n += get_entrance(fds[i], &ret->items[ret->n]);
}

void mirror_tell(struct score *score, const struct entrances *entrances)
{
	(void)score_each_node(score, tell_if_mirror, &entrances);
}
