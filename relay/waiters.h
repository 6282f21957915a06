/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * waiters.h: the connections that a listener has taken in and that have no
 * relay yet. Each is a descriptor and a ticket, nothing more; their tickets
 * are in the order of the list.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "connection.h"
#include "relay.h"
#include "scoreboard.h"
#include "settings.h"

struct waiters;

/* What they are made of; it stays the caller's and outlives them. */
struct waiters_setup {
	sd_event *event;
	struct score *score;
	const struct settings *settings;
	void (*on_change)(void *arg);      /* one has left, or one may have a slot: look what follows */
	void *arg;
};

/* Makes an empty list. 0 or -errno; *ret is the caller's, to be ended by waiters_free(). */
int waiters_new(const struct waiters_setup *setup, struct waiters **ret);

/* Ends those that are left, and frees it. NULL is fine. Returns NULL. */
struct waiters *waiters_free(struct waiters *waiters);

/* How many there are, with or without a ticket. */
size_t waiters_count(const struct waiters *waiters);

/*
 * Takes in the connection that is pending on a listening socket: accepts it in
 * the section that gives it its ticket. 0: it is here, or was and has left, or
 * its time is over; 1: none is pending; or -errno: nothing came in, or what was
 * accepted has no ticket yet: the next call goes on with that.
 */
int waiters_admit(struct waiters *waiters, int listening_fd);

/* Whether a connection has been accepted that has no ticket yet: then waiters_admit() is to be called again, with any
 * socket. */
bool waiters_owe_ticket(const struct waiters *waiters);

/* Calls give for each that has a slot, the oldest first; if that says 0, the connection and its descriptor are not the
 * list's any more. 0, or the -errno of give or of the scoreboard, at which the rest stays. */
int waiters_serve(struct waiters *waiters, int (*give)(const struct relay_order *order, int fd, void *arg), void *arg);

/* Takes a connection back that waiters_serve() gave away and nobody has taken: it has its old place. Without memory for
 * that the connection ends. */
void waiters_return(struct waiters *waiters, const struct relay_order *order, int fd);

/* A waiter that passes from one listener to the next in the service manager's store of descriptors. */
struct handover {
	int fd;
	uint64_t number;         /* of its ticket */
	uint64_t accepted_usec;  /* CLOCK_BOOTTIME */
};

#define HANDOVER_NAME_MAX 64

/* Its name in the store, and back: false, if a name is not one of a waiter. */
void handover_name(const struct handover *handover, char ret[static HANDOVER_NAME_MAX]);
bool handover_parse(const char *name, struct handover *ret);

/*
 * Passes all waiters to the service manager, for the next listener: the list is
 * empty then, and their places in the queue are free until that has them.
 * 0 or -errno: those that are left stay here.
 */
int waiters_hand_over(struct waiters *waiters);

/* Takes in a waiter of the listener before, with its place; its descriptor is the list's then. 0 or -errno. */
int waiters_take_over(struct waiters *waiters, const struct handover *handover);

/* Ends those whose patience, as set by --queue-timeout and --down-timeout, is over, and sees to the guard of the
 * queue. To be called after every change. */
void waiters_look(struct waiters *waiters);

/* Ends all of them. */
void waiters_end(struct waiters *waiters, enum end_who who);
