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

size_t waiters_count(const struct waiters *waiters);

/*
 * Takes a connection that was accepted at accepted_usec (CLOCK_BOOTTIME) in,
 * which is the list's from then on. 0; 1: it could not be taken in, and was
 * ended, as its time is over or its client has left; or -errno: it is still
 * the caller's, to be tried again.
 */
int waiters_admit(struct waiters *waiters, int fd, uint64_t accepted_usec);

/* Calls give for each that has a slot, the oldest first, and forgets it if give says 0. 0, or the -errno of give or
 * of the scoreboard, at which the rest stays. */
int waiters_serve(struct waiters *waiters, int (*give)(const struct relay_order *order, int fd, void *arg), void *arg);

/* Ends those whose patience, as set by --queue-timeout and --down-timeout, is over, and sees to the guard of the
 * queue. To be called after every change. */
void waiters_look(struct waiters *waiters);

/* Ends all of them. */
void waiters_end(struct waiters *waiters, enum end_who who);
