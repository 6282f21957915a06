/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * resolve.h: host names to addresses, many at once and never for ever. It
 * takes its time, so it belongs before any lock and never on a connection's
 * path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scoreboard.h"

struct resolve_request {
	const char *host;     /* a name, an IPv4 address, or an IPv6 address, perhaps with %scope */
	uint16_t port;        /* put into the addresses */
	struct score_address addresses[SCORE_ADDRESSES_MAX];
	unsigned n_addresses; /* the first so many that there are, each once, in getaddrinfo(3)'s order */
	int error;            /* 0, or why there is none: an EAI_ value, EAI_AGAIN too if time ran out */
};

/*
 * Fills in all requests. Numeric addresses cost no lookup, and a name asked
 * for several times costs one. 0: all were answered, one way or the other; 1: time
 * ran out for some; -ENOMEM. Nothing of the callers' is used after the return.
 */
int resolve_all(struct resolve_request *requests, size_t n, uint64_t timeout_usec);

/* Whether host is an address and no name; no lookup is made. Fills in *ret then. */
bool resolve_numeric(const char *host, uint16_t port, struct score_address *ret);

/* Whether an EAI_ value says that there is no such host, rather than that nobody could tell just now. */
bool resolve_is_final(int error);
