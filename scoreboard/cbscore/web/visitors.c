/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * visitors.c: libmicrohttpd has no call that ends a connection. It ends a connection
 * whose socket has come to its end, and shutdown(2) brings the socket there.
 */

#include "visitors.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "system/timespan.h"

#define PATIENCE_USEC 250000u /* longer than a request takes that is on its way */

struct visitor {
	struct visitor *previous, *next;
	const struct MHD_Daemon *daemon;
	int fd;
	bool has_request;
	uint64_t since_usec;   /* CLOCK_MONOTONIC */
};

static void take_out(struct visitors *visitors, struct visitor *visitor)
{
	*(visitor->previous ? &visitor->previous->next : &visitors->first) = visitor->next;
	*(visitor->next ? &visitor->next->previous : &visitors->last) = visitor->previous;
}

static void put_last(struct visitors *visitors, struct visitor *visitor, bool has_request)
{
	visitor->has_request = has_request;
	visitor->since_usec = now_monotonic();
	visitor->previous = visitors->last;
	visitor->next = NULL;
	*(visitors->last ? &visitors->last->next : &visitors->first) = visitor;
	visitors->last = visitor;
}

/* Without memory a connection is not noted, and stays for as long as libmicrohttpd lets it. */
static struct visitor *begin(struct visitors *visitors, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *fd = mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *daemon = mhd.get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
	struct visitor *visitor = fd && daemon ? calloc(1, sizeof(*visitor)) : NULL;

	if (!visitor)
		return NULL;
	visitor->fd = fd->connect_fd;
	visitor->daemon = daemon->daemon;
	put_last(visitors, visitor, false);
	return visitor;
}

void visitors_note(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct visitors *visitors = arg;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = begin(visitors, connection);
	} else if (*context) {
		take_out(visitors, *context);
		free(*context);
		*context = NULL;
	}
}

void visitors_note_request(struct visitors *visitors, struct MHD_Connection *connection, bool is_there)
{
	const union MHD_ConnectionInfo *info = mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct visitor *visitor = info ? info->socket_context : NULL;

	if (!visitor)
		return;
	take_out(visitors, visitor);
	put_last(visitors, visitor, is_there);
}

uint64_t visitors_make_room(struct visitors *visitors, const struct MHD_Daemon *daemon)
{
	uint64_t now_usec = now_monotonic();

	for (struct visitor *visitor = visitors->first; visitor; visitor = visitor->next) {
		if (visitor->has_request || visitor->daemon != daemon)
			continue;
		if (now_usec - visitor->since_usec < PATIENCE_USEC)
			return visitor->since_usec + PATIENCE_USEC - now_usec;
		(void)shutdown(visitor->fd, SHUT_RDWR);
	}
	return UINT64_MAX;
}
