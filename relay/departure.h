/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * departure.h: whether a client that waits has left. A reset means yes. An end
 * of input means yes if the client has sent nothing that is still unread: then
 * no client can be waiting for an answer. Otherwise the end may be a half-close by
 * a client that waits for an answer, and the client stays, unless
 * abandon_on_eof. A unix socket that the peer has closed hangs up without an
 * error: that counts as an end of input.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "socket.h"

struct departure {
	size_t head;      /* so many unread bytes are another proxy's header, and count as nothing */
	bool spoken;      /* the process has read something of what the client said */
	bool half_closed; /* has sent something and ended its side: only a reset counts from now on */
	bool hung_up;     /* has sent something and closed: no longer polled, as poll(2) would never sleep */
};

/* Whether the client has said nothing, or nothing that is still unread, or cannot be read from. */
static inline bool departure_said_nothing(const struct departure *departure, int fd)
{
	char byte;
	int n;

	if (departure->spoken)
		return false;
	if (departure->head > 0 && ioctl(fd, FIONREAD, &n) == 0)
		return n >= 0 && (size_t)n <= departure->head;
	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* What to poll(2) the client's socket for. */
static inline short departure_events(const struct departure *departure)
{
	return departure->half_closed ? 0 : POLLRDHUP;
}

/* Judges what poll(2) said. true: the client has left. */
static inline bool departure_check(struct departure *departure, int fd, short revents, bool abandon_on_eof)
{
	if (revents & (POLLERR | POLLNVAL))
		return true;
	if (!(revents & (POLLRDHUP | POLLHUP)))
		return false;
	if (abandon_on_eof || departure_said_nothing(departure, fd))
		return true;
	departure->half_closed = true;
	/* The client's machine forgets a socket that its process has closed, and would answer the keepalive with a
	 * reset. */
	socket_keep_alive(fd, false);
	departure->hung_up = revents & POLLHUP;
	return false;
}
