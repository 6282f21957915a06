/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * connect.c: one non-blocking connect(2) after the other.
 *
 * Every socket of a relay is set to be reset by close(2), and so by death,
 * from its birth. Two promises hang on it. A client whose relay was killed in
 * the middle of an answer must see an error, not an early end that looks like
 * a whole answer. And a node must see the connection end at once, with nothing
 * of it left in flight, because its slot is given to the next client.
 */

#include "connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "congestion.h"
#include "departure.h"
#include "sigterm.h"
#include "system/timespan.h"

/* A peer that vanished is noticed after idle + count * interval: two minutes. */
#define KEEPALIVE_IDLE_SEC 60
#define KEEPALIVE_INTERVAL_SEC 15
#define KEEPALIVE_COUNT 4

void socket_keep_alive(int fd)
{
	static const int on = 1, idle = KEEPALIVE_IDLE_SEC, interval = KEEPALIVE_INTERVAL_SEC, count = KEEPALIVE_COUNT;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

void socket_no_delay(int fd)
{
	static const int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* What a socket must have before a byte moves. */
static void prepare_birth(int fd)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	static const int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	/* Urgent data goes on in its place, as data: out of line it would be lost, and stop splice(2). */
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

void socket_prepare(int fd)
{
	prepare_birth(fd);
	congestion_apply(fd);
	socket_keep_alive(fd);
	socket_no_delay(fd);
}

void socket_prepare_once(int fd)
{
	struct linger linger = { 0 };
	socklen_t size = sizeof(linger);

	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) < 0 || !linger.l_onoff)
		socket_prepare(fd);
}

void socket_end_clean(int fd)
{
	static const struct linger clean = { 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &clean, sizeof(clean));
}

/* A SYN that is answered by a reset was refused; whom a reset or an end finds connected was taken first. */
static enum connect_outcome outcome_of(int error)
{
	return error == 0 ? CONNECT_DONE : error == ECONNRESET || error == EPIPE ? CONNECT_RESET : CONNECT_FAILED;
}

/* Waits until fd is connected. DONE, or FAILED with *ret_error, or one of the others. */
static enum connect_outcome await(int fd, uint64_t timeout_usec, int client_fd, int *ret_error)
{
	uint64_t end_usec = now_boottime() + timeout_usec;
	struct departure departure = { .half_closed = true };
	struct pollfd fds[2] = {
		{ .fd = fd, .events = POLLOUT },
		{ .fd = client_fd, .events = departure_events(&departure) }, /* an end of input may be a half-close */
	};

	for (;;) {
		uint64_t now_usec = now_boottime();
		socklen_t size = sizeof(*ret_error);
		int r;

		if (now_usec >= end_usec) {
			*ret_error = ETIMEDOUT;
			return CONNECT_FAILED;
		}
		r = sigterm_poll(fds, 2, end_usec - now_usec);
		if (r < 0) {
			*ret_error = -r;
			return r == -EINTR ? CONNECT_INTERRUPTED : CONNECT_NO_RESOURCES;
		}
		if (fds[0].revents) {
			if (getsockopt(fd, SOL_SOCKET, SO_ERROR, ret_error, &size) < 0)
				*ret_error = errno;
			return outcome_of(*ret_error);
		}
		if (departure_check(&departure, client_fd, fds[1].revents, false))
			return CONNECT_CLIENT_GONE;
		if (departure.hung_up)
			fds[1].fd = -1;
	}
}

/* Whether this machine has an address of its own to reach that one from: where TCP has no port left, UDP tells. */
static bool is_usable(const struct score_address *address)
{
	int fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool usable = fd >= 0 && connect(fd, &address->sa, address->size) == 0;

	if (fd >= 0)
		(void)close(fd);
	return usable;
}

static enum connect_outcome try_address(const struct score_address *address, uint64_t timeout_usec, int client_fd,
					int *ret_fd, int *ret_error)
{
	enum connect_outcome outcome = CONNECT_DONE;
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	int fd, r;

	fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*ret_error = errno;
		return errno == EAFNOSUPPORT ? CONNECT_FAILED : CONNECT_NO_RESOURCES;
	}
	prepare_birth(fd);
	congestion_apply_to(fd, &address->sa);
	r = connect(fd, &address->sa, address->size);
	if (r < 0 && errno == EINPROGRESS) {
		/*
		 * A near node has answered already: asking is cheaper than to wait. (connect(2) once more would tell, too, but
		 * of a node that has reset it would lose what that had said.)
		 */
		if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
			outcome = await(fd, timeout_usec, client_fd, ret_error);
	} else if (r < 0) {
		*ret_error = errno;
		/* EADDRNOTAVAIL: no IPv6 here, or no port left towards this very address. */
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ||
		    (errno == EADDRNOTAVAIL && is_usable(address)))
			outcome = CONNECT_NO_RESOURCES;
		else
			outcome = outcome_of(*ret_error);
	}
	if (outcome == CONNECT_DONE || outcome == CONNECT_RESET)
		*ret_fd = fd;
	else
		(void)close(fd);
	return outcome;
}

enum connect_outcome connect_node(const struct score_target *target, uint64_t timeout_usec, int client_fd,
				  int *ret_fd, enum node_reason *ret_reason)
{
	bool no_port = false;
	int error = 0;

	*ret_reason = REASON_UNRESOLVED;
	for (unsigned i = 0; i < target->n_addresses; i++) {
		enum connect_outcome outcome = try_address(&target->addresses[i], timeout_usec, client_fd, ret_fd, &error);

		if (outcome == CONNECT_NO_RESOURCES && error == EADDRNOTAVAIL) {
			no_port = true; /* towards another address there may be one */
			continue;
		}
		if (outcome != CONNECT_FAILED) {
			errno = error;
			return outcome;
		}
		*ret_reason = reason_from_errno(error);
	}
	errno = EADDRNOTAVAIL;
	return no_port ? CONNECT_NO_RESOURCES : CONNECT_FAILED;
}
