/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "arrival.h"

#include <errno.h>
#include <sys/socket.h>

#include "proxy.h"
#include "system/timespan.h"

#define GONE_MAX 16 /* connections that ended in the backlog, skipped in one section */

/* Whether an error of accept(2) is about the pending connection, which is gone, and not about the listening socket. */
static bool is_of_connection(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED: /* the client left before it was accepted */
	case EPROTO:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
		return true;
	default:
		return false;
	}
}

int arrival_accept(const char **ret_client, void *arg)
{
	struct arrival *arrival = arg;
	struct sockaddr_storage peer;
	socklen_t size;

	*ret_client = arrival->client;
	if (arrival->fd >= 0)
		return 0;
	arrival->error = 0;
	for (unsigned gone = 0; gone < GONE_MAX; gone++) {
		size = sizeof(peer);
		arrival->fd = accept4(arrival->listening_fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (arrival->fd >= 0 || !is_of_connection(errno))
			break;
	}
	if (arrival->fd < 0) {
		arrival->fd = -1;
		if (errno == EAGAIN || is_of_connection(errno))
			return 1;
		arrival->error = errno;
		return -errno;
	}
	arrival->accepted_usec = now_boottime();
	arrival->is_uncounted = arrival->is_limited && proxy_is_expected(arrival->fd);
	if (peer.ss_family == AF_UNIX)
		(void)address_peer(arrival->fd, arrival->client);
	else
		(void)address_format((const struct sockaddr *)&peer, size, arrival->client);
	return 0;
}

bool arrival_is_over(int error)
{
	return error == EBADF || error == EINVAL || error == ENOTSOCK;
}
