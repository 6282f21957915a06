/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * relay.h: the process that serves connections, one after the other. A relay
 * accepts them itself or is given them by the listener, as the gate says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"
#include "gate.h"
#include "scoreboard.h"
#include "settings.h"
#include "under_way.h"

#define RELAY_SOCKETS_MAX 64 /* listening sockets, at most */

/* What a relay is given with a connection's descriptor (SCM_RIGHTS), in one message over its own socket. */
struct relay_order {
	struct score_ticket ticket;   /* which has been granted a slot */
	uint64_t accepted_usec;
	char client[ADDRESS_MAX];
	bool is_shared;               /* other processes may have the socket, too: those that were to serve it before */
};

/* What a relay works with; its parent made all of it. */
struct relay_place {
	struct gate *gate;
	pid_t parent;                 /* the listener */
	size_t number;                /* its byte in the gate */
	bool reserved;                /* an order is on its way already */
	int orders_fd;                /* its end of the socket for orders; an end of input: no more orders */
	const int *fds;               /* the listening sockets */
	size_t n_fds;
	struct score *score;
	const struct settings *settings;
	struct under_way_note *note;  /* of its connection, for the listener */
};

/* In a process that blocks all signals: sets up what the relays that it forks then need, and what is alike in all. 0 or
 * -errno. */
int relay_prepare(void);

/*
 * The life of a relay, in a process forked after relay_prepare(): serves
 * until the relay has served settings->connections_per_relay, or the listener
 * lets it go, or SIGTERM, or it cannot give a slot back. Returns an exit status;
 * EX_OK: whatever the relay was given has been served, and its slots are free.
 */
int relay_run(const struct relay_place *place);

/* For the listener: sends an order with the connection's descriptor, which stays the caller's. 0 or -errno. */
int relay_order(int fd, const struct relay_order *order, int client_fd);
