/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * departure.h: whether a client that waits has left. A reset means yes. An end
 * of input means yes if the client has sent nothing that is still unread: then
 * nobody can be waiting for an answer. Else it may be a half-close by one that
 * is, and it stays, unless asked otherwise. A unix socket whose peer has closed
 * it hangs up without an error: that is an end of input like any other.
 */

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "socket.h"

struct departure {
	bool half_closed; /* has sent something and ended its side: only a reset counts from now on */
	bool hung_up;     /* has sent something and closed: not to be polled any more, it would say so for ever */
};

/* What to poll(2) the client's socket for. */
static inline short departure_events(const struct departure *departure)
{
	return departure->half_closed ? 0 : POLLRDHUP;
}

/* Judges what poll(2) said. true: it has left. */
static inline bool departure_check(struct departure *departure, int fd, short revents, bool abandon_on_eof)
{
	char byte;

	if (revents & (POLLERR | POLLNVAL))
		return true;
	if (!(revents & (POLLRDHUP | POLLHUP)))
		return false;
	if (abandon_on_eof || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		return true;
	departure->half_closed = true;
	/* A machine forgets a socket that its process has closed, and would answer the keepalive with a reset. */
	socket_keep_alive(fd, false);
	departure->hung_up = revents & POLLHUP;
	return false;
}
