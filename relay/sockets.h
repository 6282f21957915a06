/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * sockets.h: the sockets that this process was given: by systemd, by inetd on
 * standard input, or on the command line as an address to listen on.
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

/* Tells a mistake in listen_on, which may be NULL, before anything listens. EX_OK or EX_USAGE. */
int sockets_check(const char *listen_on);

/*
 * Finds the sockets, and makes them when listen_on ("[ADDR:]PORT") is not NULL;
 * then none may come from a service manager. ret begins empty, and is to be ended
 * by sockets_clear() in each case. EX_OK; EX_USAGE or EX_OSERR: the mistake has
 * been told.
 */
int sockets_find(struct sockets *ret, const char *listen_on);

/* Frees what *sockets has; its descriptors stay as they are. */
void sockets_clear(struct sockets *sockets);
