/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * visitors.h: which connections to the page say nothing. A daemon of libmicrohttpd
 * takes no more connections than its limit, and a connection that says nothing stays
 * for many seconds: without more, a few hundred of them keep all others out. So while
 * a daemon is at its limit, the connections that say nothing are ended soon.
 */

#include <stdbool.h>
#include <stdint.h>

#include "mhd.h"

struct visitor;

/* The connections of all daemons. */
struct visitors {
	struct visitor *first, *last; /* the longest in its present state is first */
};

/* For MHD_OPTION_NOTIFY_CONNECTION, with the visitors as its argument. */
void visitors_note(void *visitors, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code);

/* A request of the connection has come, or has been answered. */
void visitors_note_request(struct visitors *visitors, struct MHD_Connection *connection, bool is_there);

/* Has the daemon, which is at its limit, end the connections that have had no request for a moment. Returns after how
 * many microseconds to call again; UINT64_MAX: no connection is left without a request. */
uint64_t visitors_make_room(struct visitors *visitors, const struct MHD_Daemon *daemon);
