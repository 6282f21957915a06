/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * delivery.c: a slot may be given to the next client when the node knows of the
 * end of the connection, and not while this kernel still has bytes for the node.
 *
 * An orderly end. close(2) can wait for the delivery, but any signal ends that
 * wait, SIGKILL and a stop among them, and the kernel goes on with the delivery
 * by itself: then the slot is free, and the node has a connection more than it has
 * cores. So the socket stays open until the delivery: whatever ends this process
 * before that resets the connection.
 *
 * But the kernel does not reset a socket on which both directions have ended and
 * all has been sent: a close(2) would only stop the retransmission of lost
 * segments, and the node would wait for them for ever. Such a socket is left to
 * the kernel.
 *
 * A socket on which both directions have ended is always ready for poll(2). An
 * edge-triggered epoll, however, reports only its change to closed.
 *
 * A reset. It is sent once and never acknowledged. (To send an end first, which
 * is acknowledged, was considered: the node would read a clean end where the
 * client has sent a reset; a node that does not read would get neither; and a
 * node that already has our end would not be told by another.) So this process
 * asks the node's machine, by a SYN from the same port, whether the connection is
 * still there:
 *
 *   it is not:  the answer is a SYN-ACK, or a reset if nothing listens any more.
 *   it is:      the answer is an ACK that our kernel does not expect. Our kernel
 *               resets it and sends the SYN again; the answer is then as above.
 *
 * Without an answer the question is asked anew, each time by another socket. The
 * new connection that the SYN-ACK offers is refused by a reset before our kernel
 * has acknowledged it: TCP_DEFER_ACCEPT delays that acknowledgement for a fifth of
 * a second. The node's process never sees the new connection. (A SYN-ACK that
 * comes twice is acknowledged at once, so no question lasts until both kernels
 * repeat what was lost. If this process is stopped just then, or a round trip takes
 * a second, the node may accept a connection that is reset; the slot is still ours.)
 */

#include "delivery.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pulse.h"
#include "sigterm.h"
#include "sleep.h"
#include "socket.h"
#include "system/timespan.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

#define LOOK_USEC 250000u      /* between looks, where no epoll can be made */
#define PAUSE_MIN_USEC 500u
#define PAUSE_MAX_USEC 100000u
#define AGAIN_USEC 250000u     /* before the node's machine is asked once more */
#define ASK_USEC 900000u       /* for an answer: less than the second after which kernels repeat SYN and SYN-ACK */
#define ASK_RTTS 3u            /* or so many round trips */

/* A wait for a peer to take what it was sent. */
struct wait {
	int fd, unconfirmed;
	uint64_t idle_timeout_usec, moved_usec, look_usec;
	struct pulse pulse;
};

static void wait_begin(struct wait *wait, int fd, uint64_t idle_timeout_usec)
{
	*wait = (struct wait){
		.fd = fd, .unconfirmed = socket_unconfirmed(fd), .idle_timeout_usec = idle_timeout_usec,
		.moved_usec = now_boottime(), .look_usec = now_boottime() + pulse_first_look_usec(),
	};
}

/* Whether there is a reason to give up: -ETIME or -ETIMEDOUT; else 0, and *usec is lowered to the next look. */
static int wait_look(struct wait *wait, uint64_t *usec)
{
	uint64_t now_usec = now_boottime(), until_usec;
	int n = socket_unconfirmed(wait->fd);

	if (n != wait->unconfirmed)
		wait->moved_usec = now_usec;
	wait->unconfirmed = n;
	if (wait->idle_timeout_usec && now_usec - wait->moved_usec >= wait->idle_timeout_usec)
		return -ETIME;
	if (now_usec >= wait->look_usec) {
		wait->look_usec = now_usec + pulse_first_look_usec();
		if (pulse_has_stopped(&wait->pulse, wait->fd, now_usec, &wait->look_usec))
			return -ETIMEDOUT;
	}
	until_usec = wait->look_usec;
	if (wait->idle_timeout_usec && wait->moved_usec + wait->idle_timeout_usec < until_usec)
		until_usec = wait->moved_usec + wait->idle_timeout_usec;
	until_usec = until_usec > now_usec ? until_usec - now_usec : 0;
	if (until_usec < *usec)
		*usec = until_usec;
	return 0;
}

int delivery_await(int fd, uint64_t idle_timeout_usec)
{
	uint64_t pause_usec = PAUSE_MIN_USEC;
	struct wait wait;
	int r = 0;

	wait_begin(&wait, fd, idle_timeout_usec);
	while (socket_unconfirmed(fd) > 0 && !pulse_is_closed(fd)) {
		uint64_t usec = pause_usec;

		r = wait_look(&wait, &usec);
		if (r == 0)
			r = sleep_poll(NULL, 0, usec);
		if (r < 0)
			break;
		if (pause_usec < PAUSE_MAX_USEC)
			pause_usec *= 2;
	}
	return r < 0 ? r : 0;
}

/* An epoll that is ready each time that the socket closes; or -1. */
static int watch(int fd)
{
	struct epoll_event event = { .events = EPOLLET };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return epoll_fd;
	if (epoll_fd >= 0)
		(void)close(epoll_fd);
	return -1;
}

static int await_close(int fd, int epoll_fd, uint64_t idle_timeout_usec)
{
	struct pollfd pollfd = { .fd = epoll_fd, .events = POLLIN };
	struct wait wait;
	int r;

	wait_begin(&wait, fd, idle_timeout_usec);
	while (!pulse_is_closed(fd)) {
		uint64_t usec = epoll_fd < 0 ? LOOK_USEC : NO_TIMEOUT;
		struct epoll_event event;

		r = wait_look(&wait, &usec);
		if (r == 0)
			r = sleep_poll(&pollfd, 1, usec);
		if (r < 0)
			return r;
		if (r > 0)
			(void)epoll_wait(epoll_fd, &event, 1, 0);
	}
	return 0;
}

static bool is_all_sent(int fd)
{
	int n;

	return ioctl(fd, SIOCOUTQNSD, &n) == 0 && n == 0;
}

/* Leaves the delivery to the kernel if the connection can no longer be reset. */
static void end_clean_if_sent(int fd)
{
	if (is_all_sent(fd))
		socket_end_clean(fd);
}

bool delivery_begin(int fd)
{
	return shutdown(fd, SHUT_WR) < 0 || socket_unconfirmed(fd) == 0;
}

int delivery_end(int fd, uint64_t idle_timeout_usec)
{
	int epoll_fd, r;

	end_clean_if_sent(fd);
	epoll_fd = watch(fd);
	r = await_close(fd, epoll_fd, idle_timeout_usec);
	if (r < 0)
		end_clean_if_sent(fd);
	if (epoll_fd >= 0)
		(void)close(epoll_fd);
	return r;
}

/* ---- resets ---- */

/* The addresses of both ends of a connection that was reset. */
struct ends {
	struct sockaddr_storage own, peer;
	socklen_t own_size, peer_size;
	uint64_t rtt_usec;
};

/* The time that is left for asking; SIGTERM shortens it. */
struct bound {
	uint64_t end_usec;
	bool interrupted;
};

/* Sleeps until fd (-1: none) can be written, or the time is over: 1, or 0. */
static int bound_poll(struct bound *bound, int fd, uint64_t most_usec)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	uint64_t now_usec = now_boottime(), end_usec = now_usec + most_usec;
	int r;

	for (;;) {
		uint64_t until_usec = bound->end_usec < end_usec ? bound->end_usec : end_usec;
		uint64_t usec = until_usec > now_usec ? until_usec - now_usec : 0;

		if (bound->interrupted)
			r = poll(&pollfd, 1, (int)((usec + 999) / 1000));
		else
			r = sleep_poll(&pollfd, 1, usec);
		if (r >= 0)
			return r;
		now_usec = now_boottime();
		if (!bound->interrupted && bound->end_usec > now_usec + DELIVERY_STOP_USEC)
			bound->end_usec = now_usec + DELIVERY_STOP_USEC;
		bound->interrupted = true;
	}
}

static void set_port(struct sockaddr_storage *address, in_port_t port)
{
	if (address->ss_family == AF_INET)
		((struct sockaddr_in *)address)->sin_port = port;
	else
		((struct sockaddr_in6 *)address)->sin6_port = port;
}

/* A new socket with the old socket's local address. Other sockets may have the port towards other nodes: then a range
 * of a single port makes connect(2) take it. -1: not possible now. */
static int socket_from(const struct ends *ends)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	static const int on = 1;
	int fd = socket(ends->own.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage own = ends->own;
	uint32_t port, range;
	int error;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&own, ends->own_size) == 0)
		return fd;
	error = errno;
	port = ntohs(own.ss_family == AF_INET ? ((struct sockaddr_in *)&own)->sin_port : ((struct sockaddr_in6 *)&own)->sin6_port);
	range = port << 16 | port;
	set_port(&own, 0);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (error == EADDRINUSE && setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) == 0 &&
	    bind(fd, (const struct sockaddr *)&own, ends->own_size) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Asks whether the connection is still there. true: it is not. false: it may be, or there was no answer. */
static bool is_gone(const struct ends *ends, struct bound *bound)
{
	int fd = socket_from(ends), error = EADDRINUSE;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)&ends->peer, ends->peer_size) == 0)
		error = 0;
	else if (errno != EINPROGRESS)
		error = errno;
	else if (bound_poll(bound, fd, ends->rtt_usec * ASK_RTTS > ASK_USEC ? ends->rtt_usec * ASK_RTTS : ASK_USEC) == 0 ||
		 getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = ETIMEDOUT;
	(void)close(fd);
	/* EADDRNOTAVAIL: a later connection to the node has this very port already, so its SYN has asked in our place.
	 * */
	return error == 0 || error == ECONNREFUSED || error == ECONNRESET || error == EADDRNOTAVAIL;
}

static bool ends_of(int fd, struct ends *ret)
{
	*ret = (struct ends){
		.own_size = sizeof(ret->own), .peer_size = sizeof(ret->peer), .rtt_usec = pulse_round_trip_usec(fd),
	};
	return getsockname(fd, (struct sockaddr *)&ret->own, &ret->own_size) == 0 &&
	       getpeername(fd, (struct sockaddr *)&ret->peer, &ret->peer_size) == 0 &&
	       (ret->own.ss_family == AF_INET || ret->own.ss_family == AF_INET6);
}

void delivery_abort(int fd)
{
	struct bound bound = { .end_usec = now_boottime() + socket_vanish_usec() };
	struct ends ends;

	if (pulse_is_closed(fd) || !ends_of(fd, &ends)) {
		(void)close(fd);
		return;
	}
	if (pulse_is_ending(fd) && is_all_sent(fd)) {
		/* No reset is possible any more, and none is needed: the rest arrives, or the peer's machine is gone.
		 * */
		socket_end_clean(fd);
		while (pulse_is_ending(fd) && now_boottime() < bound.end_usec)
			(void)bound_poll(&bound, -1, PAUSE_MAX_USEC);
		(void)close(fd);
		return;
	}
	(void)close(fd);
	while (!is_gone(&ends, &bound) && now_boottime() < bound.end_usec)
		(void)bound_poll(&bound, -1, AGAIN_USEC);
}
