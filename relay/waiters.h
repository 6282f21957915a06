/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * waiters.h: the waiters of a listener: connections that it has taken in and that
 * have no relay yet. A waiter is a descriptor and a ticket, nothing more. The list
 * is in the order of the tickets.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "arrival.h"
#include "connection.h"
#include "relay.h"
#include "scoreboard.h"
#include "settings.h"

struct waiters;

/* What the list is made of; all of it stays the caller's and outlives the list. */
struct waiters_setup {
	sd_event *event;
	struct score *score;
	const struct settings *settings;
	void (*on_change)(void *arg);      /* called when a waiter has left or may have a slot */
	void *arg;
};

/* Makes an empty list. 0 or -errno; *ret is the caller's, to be ended by waiters_free(). */
int waiters_new(const struct waiters_setup *setup, struct waiters **ret);

/* Ends the waiters that are left, and frees the list. NULL is fine. Returns NULL. */
struct waiters *waiters_free(struct waiters *waiters);

/* How many waiters there are, with or without a ticket. */
size_t waiters_count(const struct waiters *waiters);

/*
 * Takes in the connection that is pending on a listening socket: accepts it in
 * the section that gives it its ticket. 0: the connection is a waiter, or has
 * left, or its time is over; 1: none is pending; or -errno: nothing came in, or
 * the accepted connection has no ticket yet: the next call goes on with it.
 */
int waiters_admit(struct waiters *waiters, int listening_fd);

/*
 * Takes in a connection that was accepted already, under its client's name. Its
 * first head bytes are a PROXY header, which is unread. 0: the connection is the
 * list's; it may still have to get its ticket, see below. -errno: it is not.
 */
int waiters_take_in(struct waiters *waiters, const struct arrival *arrival, size_t head);

/* Whether an accepted connection has no ticket yet: then waiters_admit() is to be called again, with any socket. */
bool waiters_owe_ticket(const struct waiters *waiters);

/* Calls give for each waiter that has a slot, the oldest first. If give returns 0, the connection and its descriptor
 * are no longer the list's. 0, or the -errno of give or of the scoreboard: then the rest stays. */
int waiters_serve(struct waiters *waiters, int (*give)(const struct relay_order *order, int fd, void *arg), void *arg);

/* Takes back a connection that waiters_serve() gave away and no relay has taken. The connection gets its old place;
 * without memory for that it ends. */
void waiters_return(struct waiters *waiters, const struct relay_order *order, int fd);

/* A waiter that passes from a listener to the next in the service manager's store of descriptors. */
struct handover {
	int fd;
	uint64_t number;         /* of its ticket; 0: it has none */
	uint64_t accepted_usec;  /* CLOCK_BOOTTIME */
};

#define HANDOVER_NAME_MAX 64

/* The waiter's name in the store, and back. false: the name is not a waiter's. */
void handover_name(const struct handover *handover, char ret[static HANDOVER_NAME_MAX]);
bool handover_parse(const char *name, struct handover *ret);

/*
 * Passes all waiters to the service manager, for the next listener, with or without
 * a ticket. The list is then empty, and their places in the queue are free until the
 * next listener takes them. 0; -EMFILE: there are more than room; or -errno: the
 * waiters that could not be passed, the youngest, stay here.
 */
int waiters_hand_over(struct waiters *waiters, size_t room);

/* Passes an accepted connection to the service manager, for the next listener, without a place. The descriptor stays the
 * caller's, and before it ends it awaits sd_notify_barrier(3). 0 or -errno. */
int waiters_pass_on(const struct arrival *arrival);

/* Takes in a waiter of the previous listener, with its place; its descriptor is then the list's. 0 or -errno. One that had
 * no ticket gets it as after waiters_take_in(). */
int waiters_take_over(struct waiters *waiters, const struct handover *handover);

/* Ends the waiters that have waited as long as --queue-timeout or --down-timeout allows, and does the guard's duty for
 * the queue. To be called after every change. */
void waiters_look(struct waiters *waiters);

/* Ends all waiters. */
void waiters_end(struct waiters *waiters, enum ended_by by);
