/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * sockets.h: the sockets that this process was given: by systemd, by inetd on
 * standard input, or on the command line as places to listen at.
 */

#include <stdbool.h>
#include <stddef.h>

#include "waiters.h"
#include "relay.h"

struct sockets {
	int fds[RELAY_SOCKETS_MAX];
	size_t n;
	bool connected;           /* a single socket, connected to a client; false: all sockets listen */
	bool owned;               /* made here: they end with this process */
	struct handover *waiters; /* of the previous listener */
	size_t n_waiters;
	int *formers;             /* its listening sockets, see former.h */
	size_t n_formers;
};

/* Tells the mistakes in listen_on, which may be NULL, before anything listens. EX_OK, EX_USAGE or EX_OSERR. */
int sockets_check(const char *listen_on);

/*
 * Finds the sockets, and makes them when listen_on is not NULL: places as in
 * listen.h, with commas between them. Then none may come from a service manager.
 * ret begins empty, and is to be ended by sockets_clear() in each case. EX_OK;
 * EX_USAGE or EX_OSERR: the mistake has been told.
 */
int sockets_find(struct sockets *ret, const char *listen_on);

/* Frees what *sockets has; its descriptors stay as they are. */
void sockets_clear(struct sockets *sockets);
