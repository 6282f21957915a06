/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * resolve.h: host names to addresses, many at once and within a limit. A lookup
 * takes time, so it is made before any lock is taken and never on a connection's
 * path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "system/address.h"

struct resolve_request {
	const char *host;     /* a name, an IPv4 address, or an IPv6 address, perhaps with %scope */
	uint16_t port;        /* put into the addresses */
	struct score_address addresses[SCORE_ADDRESSES_MAX];
	unsigned n_addresses; /* the first addresses, each once, in getaddrinfo(3)'s order */
	int error;            /* 0, or why there is no address: an EAI_ value; EAI_AGAIN also if time ran out */
};

/*
 * Fills in all requests. A numeric address costs no lookup, and a name in several
 * requests costs a single lookup. 0: each request has its addresses or its error;
 * 1: time ran out for some; or -ENOMEM. No memory of the caller is used after the
 * return.
 */
int resolve_all(struct resolve_request *requests, size_t n, uint64_t timeout_usec);

/* Whether host is an address and no name; then fills in *ret. Makes no lookup. */
bool resolve_numeric(const char *host, uint16_t port, struct score_address *ret);

/* Whether an EAI_ value says that there is no such host. Other values say that it could not be found out just now. */
bool resolve_is_final(int error);
