/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * relay.h: the process that serves connections, one after the other. It takes
 * them from the listening sockets itself or is given them, as the gate says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"
#include "gate.h"
#include "scoreboard.h"
#include "settings.h"

#define RELAY_SOCKETS_MAX 64 /* listening ones */

/* What a relay is given with a connection's descriptor (SCM_RIGHTS), in one message over its own socket. */
struct relay_order {
	struct score_ticket ticket;   /* to which a slot has been handed */
	uint64_t accepted_usec;
	char client[ADDRESS_MAX];
};

/* What it lives with; everything was made by its parent. */
struct relay_place {
	struct gate *gate;
	pid_t parent;                 /* the listener */
	size_t number;                /* its byte in the gate */
	bool reserved;                /* an order is on its way already */
	int orders_fd;                /* its end of the socket for orders; its end of input: there will be none any more */
	const int *fds;               /* the listening sockets */
	size_t n_fds;
	struct score *score;
	const struct settings *settings;
};

/*
 * The life of a relay, in a process just forked (see descriptors.h): serves
 * until it has served settings->connections_per_relay, or is not wanted any
 * more, or SIGTERM. Returns an exit status; EX_OK: whatever it was given has
 * been served.
 */
int relay_run(const struct relay_place *place);

/* For the other end: sends an order with the connection's descriptor, which stays the caller's. 0 or -errno. */
int relay_order(int fd, const struct relay_order *order, int client_fd);
