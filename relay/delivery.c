/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * delivery.c: a slot may be given to the next client when the node knows of the
 * end of the connection, and not while this kernel still has bytes for it.
 *
 * close(2) can wait for that, but any signal ends that wait, SIGKILL and a stop
 * among them, and the kernel goes on with the delivery by itself: then the slot
 * is free, and the node has one connection more than cores. So the socket
 * is not closed before, which leaves it to be reset whatever ends this process.
 *
 * But the kernel resets nothing that has ended both ways and of which all has
 * been sent: to close it then would just stop the sending again of what was
 * lost on its way, and the node would wait for that for ever. That is left to
 * the kernel.
 *
 * A socket whose both ways have ended is always ready for poll(2); but an epoll
 * that looks for edges is told of its change to closed, and of nothing else.
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

#include "connect.h"
#include "sigterm.h"
#include "system/timespan.h"

#define LOOK_USEC 250000u /* where there is no epoll to be had */

/* How much the other machine has not confirmed: bytes, and one for the end. */
static int unconfirmed(int fd)
{
	int n;

	return ioctl(fd, SIOCOUTQ, &n) < 0 ? 0 : n;
}

/* After a reset, too, which leaves bytes unconfirmed for ever. */
static bool is_closed(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_state == TCP_CLOSE;
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

static int await(int fd, int epoll_fd, uint64_t idle_timeout_usec)
{
	uint64_t moved_usec = now_boottime();
	struct pollfd pollfd = { .fd = epoll_fd, .events = POLLIN };
	int before = unconfirmed(fd), r;

	while (!is_closed(fd)) {
		uint64_t usec = epoll_fd < 0 ? LOOK_USEC : NO_TIMEOUT, now_usec = now_boottime();
		struct epoll_event event;
		int n = unconfirmed(fd);

		if (n != before)
			moved_usec = now_usec;
		before = n;
		if (idle_timeout_usec && now_usec - moved_usec >= idle_timeout_usec)
			return -ETIME;
		if (idle_timeout_usec && usec > moved_usec + idle_timeout_usec - now_usec)
			usec = moved_usec + idle_timeout_usec - now_usec;
		r = sigterm_poll(&pollfd, 1, usec);
		if (r < 0)
			return r;
		if (r > 0)
			(void)epoll_wait(epoll_fd, &event, 1, 0);
	}
	return 0;
}

/* What can be no more reset shall arrive. */
static void end_clean_if_sent(int fd)
{
	int n;

	if (ioctl(fd, SIOCOUTQNSD, &n) == 0 && n == 0)
		socket_end_clean(fd);
}

int delivery_end(int fd, uint64_t idle_timeout_usec)
{
	int epoll_fd, r;

	/* On the same machine, or with a fast network, that is all. */
	if (shutdown(fd, SHUT_WR) < 0 || unconfirmed(fd) == 0)
		return 0;
	end_clean_if_sent(fd);
	epoll_fd = watch(fd);
	r = await(fd, epoll_fd, idle_timeout_usec);
	if (r < 0)
		end_clean_if_sent(fd);
	if (epoll_fd >= 0)
		(void)close(epoll_fd);
	return r;
}
