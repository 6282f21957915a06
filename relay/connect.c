/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * connect.c: non-blocking connects to a node's addresses, never two at once.
 *
 * RFC 8305 lets the next address begin a quarter of a second after the address
 * before, and both go on. Here the earlier attempt is given up first, as two
 * answers at the same time would be two connections at the node. An attempt that
 * is given up before its answer comes makes no connection: our kernel resets the
 * answer, and the node's process never sees it. An address that is only slow gets
 * another turn, each time four times as long.
 */

#include "connect.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "congestion.h"
#include "departure.h"
#include "sleep.h"
#include "socket.h"
#include "system/address.h"
#include "system/timespan.h"

#define TURN_USEC 250000u   /* for an address before the next address has its turn */
#define TURN_GROWTH 4u

/* A reset that answers the SYN means refused. A reset or an end of a connected socket means that the node took the
 * connection first. */
static enum connect_outcome outcome_of(int error)
{
	return error == 0 ? CONNECT_DONE : error == ECONNRESET || error == EPIPE ? CONNECT_RESET : CONNECT_FAILED;
}

/* Waits until fd is connected. DONE, or FAILED with *ret_error, or another outcome. */
static enum connect_outcome await(int fd, uint64_t timeout_usec, const struct connect_client *client, int *ret_error)
{
	uint64_t end_usec = now_boottime() + timeout_usec;
	struct departure departure = { .half_closed = true, .spoken = client->opening->held > 0 };
	int client_fd = client->fd;
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
		r = sleep_poll(fds, 2, end_usec - now_usec);
		if (r < 0) {
			*ret_error = -r;
			return r == -EINTR ? CONNECT_INTERRUPTED : CONNECT_NO_RESOURCES;
		}
		if (fds[0].revents && !(fds[0].revents & (POLLERR | POLLHUP)))
			return CONNECT_DONE;
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

/*
 * The connect is under way. A near node has answered already: then it takes what the client has said, which is cheaper
 * than to wait for the answer. (A second connect(2) would tell, too. But if the node has reset the connection, that
 * call would drop what the node had said.)
 */
static enum connect_outcome offer(int fd, uint64_t timeout_usec, const struct connect_client *client, int *ret_error)
{
	int r = client->may_offer ? opening_offer(client->opening, client->fd, fd) : 0;

	if (r == 0)
		return await(fd, timeout_usec, client, ret_error);
	*ret_error = r < 0 ? -r : 0;
	return outcome_of(*ret_error);
}

/* Whether this machine has an address from which it can reach the given address. Asks by UDP, as TCP may have no port
 * left. */
static bool is_usable(const struct score_address *address)
{
	int fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool usable = fd >= 0 && connect(fd, &address->sa, address->size) == 0;

	if (fd >= 0)
		(void)close(fd);
	return usable;
}

/*
 * Gets the socket's own address, and returns whether the socket is connected to itself: for a connect the kernel picks a
 * port of this machine, and if that is the very port to connect to, and no process listens there, the two ends of the
 * connection are this socket. What is written to it comes back, and no node could listen at its port meanwhile.
 */
static bool is_itself(int fd, const struct score_address *address, struct score_address *ret_own)
{
	*ret_own = (struct score_address){ .size = sizeof(ret_own->in6) };
	return getsockname(fd, &ret_own->sa, &ret_own->size) == 0 && address_is_same(ret_own, address);
}

static enum connect_outcome try_address(const struct score_address *address, uint64_t timeout_usec,
					const struct connect_client *client, struct connect_result *ret, int *ret_error)
{
	enum connect_outcome outcome = CONNECT_DONE;
	int fd, r, error;

	fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*ret_error = errno;
		return errno == EAFNOSUPPORT ? CONNECT_FAILED : CONNECT_NO_RESOURCES;
	}
	socket_prepare_birth(fd);
	congestion_apply_to(fd, &address->sa);
	r = connect(fd, &address->sa, address->size);
	error = r < 0 ? errno : 0;
	if ((r == 0 || error == EINPROGRESS) && is_itself(fd, address, &ret->own)) {
		*ret_error = ECONNREFUSED;
		outcome = CONNECT_FAILED;
	} else if (error == EINPROGRESS) {
		outcome = offer(fd, timeout_usec, client, ret_error);
	} else if (r < 0) {
		*ret_error = error;
		/* EADDRNOTAVAIL: no IPv6 here, or no port left towards this very address. */
		if (error == EAGAIN || error == ENOBUFS || error == ENOMEM ||
		    (error == EADDRNOTAVAIL && is_usable(address)))
			outcome = CONNECT_NO_RESOURCES;
		else
			outcome = outcome_of(*ret_error);
	}
	if (outcome == CONNECT_DONE || outcome == CONNECT_RESET)
		ret->fd = fd;
	else
		(void)close(fd);
	return outcome;
}

/* The addresses of a node that are still worth a try, and how it went with the others. */
struct race {
	uint32_t left, unreached;
	int error;               /* of the address that failed last */
	bool no_port;            /* this machine has no port left towards one address, but perhaps towards another */
};

/* Gives an address its turn. FAILED: the address stays in race->left if it merely has not answered. */
static enum connect_outcome take_turn(struct race *race, const struct score_target *target, unsigned i, uint64_t usec,
				      const struct connect_client *client, struct connect_result *ret)
{
	int error = 0;
	enum connect_outcome outcome = try_address(&target->addresses[i], usec, client, ret, &error);

	errno = error;
	if (outcome == CONNECT_NO_RESOURCES && error == EADDRNOTAVAIL) {
		race->no_port = true;
		race->left &= ~(1u << i);
		return CONNECT_FAILED;
	}
	if (outcome != CONNECT_FAILED)
		return outcome;
	race->error = error;
	race->unreached |= 1u << i;
	if (error != ETIMEDOUT)
		race->left &= ~(1u << i);
	return CONNECT_FAILED;
}

enum connect_outcome connect_node(const struct score_target *target, uint64_t timeout_usec, const struct connect_client *client,
				  struct connect_result *ret)
{
	struct race race = { .left = (uint32_t)((UINT64_C(1) << target->n_addresses) - 1) };
	uint64_t end_usec = target->n_addresses > 1 ? now_boottime() + timeout_usec : 0, turn_usec = TURN_USEC;
	uint64_t left_usec = timeout_usec;

	*ret = (struct connect_result){ .fd = -1, .reason = REASON_UNRESOLVED };
	for (; race.left && left_usec > 0; turn_usec *= TURN_GROWTH) {
		for (unsigned i = 0; i < target->n_addresses && left_usec > 0; i++) {
			bool alone = (race.left & (race.left - 1)) == 0;
			enum connect_outcome outcome;

			if (!(race.left >> i & 1))
				continue;
			outcome = take_turn(&race, target, i, alone || left_usec < turn_usec ? left_usec : turn_usec,
					    client, ret);
			if (outcome != CONNECT_FAILED) {
				ret->reached = i;
				ret->unreached = race.unreached & ~(1u << i);
				return outcome;
			}
			left_usec = end_usec > now_boottime() ? end_usec - now_boottime() : 0;
		}
	}
	if (race.unreached)
		ret->reason = reason_from_errno(race.left ? ETIMEDOUT : race.error);
	errno = EADDRNOTAVAIL;
	return race.no_port && !race.left ? CONNECT_NO_RESOURCES : CONNECT_FAILED;
}
