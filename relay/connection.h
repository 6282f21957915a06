/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * connection.h: one client's life: claim or wait, connect, forward, release.
 */

#include <stdbool.h>
#include <stdint.h>

#include "arrival.h"
#include "report.h"
#include "scoreboard.h"
#include "settings.h"
#include "under_way.h"

struct connection {
	int fd;                        /* the client's socket; the connection's own */
	uint64_t accepted_usec;        /* CLOCK_BOOTTIME */
	bool (*is_shared)(const void *arg); /* whether another process has the socket, too, for a moment; NULL: none has */
	const void *arg;
	bool is_clean;                 /* close(2) of the socket is an end, and no reset */
	bool is_slot_left;             /* its slot could not be given back: that takes the end of this process */
	struct record record;          /* filled as it goes on */
	struct under_way_note *note;   /* what is told if this process is killed; NULL: no process would tell it */
};

/* Takes a connected socket over; accepted_usec is when it came; client its other end's name, NULL: to be asked for. */
void connection_init(struct connection *connection, int fd, uint64_t accepted_usec, const char *client);

/* Reports a connection that ended before it had a slot. */
void connection_report_unserved(const struct arrival *arrival, struct score *score, enum ended_by by, enum end_cause cause);

/* What a connection has when its service begins. */
struct connection_start {
	enum {
		HAS_NOTHING,           /* claims a slot, and waits if none is free */
		HAS_TICKET,            /* which has been granted a slot */
		HAS_SLOT,
	} has;
	struct score_ticket ticket;
	struct score_slot slot;
	struct score_target target;    /* of the slot */
};

/*
 * Serves a connection with a prepared socket (see socket.h) to its end, reports it, and closes it. Returns the exit
 * status of a process that served only this connection.
 */
int connection_serve(struct connection *connection, struct score *score, const struct settings *settings,
		     const struct connection_start *start);
