/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * connection.h: one client's life: claim or wait, connect, forward, release.
 */

#include <stdint.h>

#include "address.h"
#include "scoreboard.h"
#include "settings.h"

/* Who ended a connection, and in which phase: the two letters of COREBALANCE_END. */
enum end_who {
	END_CLEAN = '-',      /* both sides were through */
	END_CLIENT = 'C',
	END_NODE = 'S',
	END_RESOURCES = 'R',  /* this machine, or a limit that was set */
	END_ADMIN = 'K',      /* SIGTERM */
};

enum end_phase {
	PHASE_QUEUE = 'Q',
	PHASE_CONNECT = 'C',
	PHASE_DATA = 'D',
	PHASE_DONE = '-',
};

struct connection {
	int fd;                        /* the client's socket; the connection's own */
	char client[ADDRESS_MAX];
	uint64_t accepted_usec;        /* CLOCK_BOOTTIME */

	/* Filled as it goes on; times are UINT64_MAX for a phase that was never reached. */
	char node[NODE_NAME_MAX + 1];
	char node_local[ADDRESS_MAX]; /* our address towards the node: what the node's log has */
	uint32_t slot;
	uint64_t wait_usec, connect_usec, total_usec;
	uint64_t in, out;
	unsigned failed_nodes;         /* tried in vain */
	enum end_who end_who;
	enum end_phase end_phase;
};

/* Takes a connected socket over; accepted_usec is when it came; client its other end's name, NULL: to be asked for. */
void connection_init(struct connection *connection, int fd, uint64_t accepted_usec, const char *client);

/* What a connection has when its service begins. */
struct connection_start {
	enum {
		HAS_NOTHING,           /* claims a slot, and waits for one */
		HAS_TICKET,            /* to which a slot has been handed */
		HAS_SLOT,
	} has;
	struct score_ticket ticket;
	struct score_slot slot;
	struct score_target target;    /* of the slot */
};

/*
 * Serves a connection to its end, reports it, and closes it. Returns the exit
 * status of a process that served just this one.
 */
int connection_serve(struct connection *connection, struct score *score, const struct settings *settings,
		     const struct connection_start *start);
