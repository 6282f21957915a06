/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * greetings.h: connections that a listener has accepted, and of which it awaits the
 * PROXY header, see proxy.h. The scoreboard knows nothing of such a connection: it
 * gets its place in the queue under its client's own address, once that is known. So
 * a client that sends no header holds neither a slot nor a place.
 */

#include <stdbool.h>
#include <stddef.h>

#include <systemd/sd-event.h>

#include "arrival.h"
#include "report.h"
#include "scoreboard.h"

struct greetings;

/* All of it stays the caller's and outlives the list. */
struct greetings_setup {
	sd_event *event;
	struct score *score;               /* what it says of verbosity */
	void (*on_change)(void *arg);      /* called when a client is known or has left, or its time is over */
	void *arg;
};

/* Makes an empty list. 0 or -errno; *ret is the caller's, to be ended by greetings_free(). */
int greetings_new(const struct greetings_setup *setup, struct greetings **ret);

/* Ends the connections that are left, and frees the list. NULL is fine. Returns NULL. */
struct greetings *greetings_free(struct greetings *greetings);

/* How many connections there are; NULL is fine. */
size_t greetings_count(const struct greetings *greetings);

/* How many of these have told their clients; NULL is fine. */
size_t greetings_count_known(const struct greetings *greetings);

/* Accepts the connection that is pending on a listening socket. 0; 1: none is pending; or -errno: nothing came in. */
int greetings_admit(struct greetings *greetings, int listening_fd);

/*
 * Calls take for each connection that has told its client (all: for every
 * connection), in the order in which they came. head is the size of the header,
 * which is still unread. If take returns 0, the connection and its descriptor are no
 * longer the list's; at any other value the rest stays.
 */
void greetings_pass(struct greetings *greetings, bool all, int (*take)(const struct arrival *arrival, size_t head, void *arg),
		    void *arg);

/* Ends each connection that has not sent its header in time. To be called after every change. */
void greetings_look(struct greetings *greetings);

/* Ends all connections. */
void greetings_end(struct greetings *greetings, enum ended_by by);
