/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * client.h: which connections are of the same client: all from an IPv4 address,
 * or from the 64 bits by which networks hand out IPv6 addresses; or from an IPv6
 * address, if that is link-local, or of 64:ff9b::/96. A client is named
 * by the connection's address and port, "192.0.2.1:1234" or "[2001:db8::1]:1234".
 */

#include <stdbool.h>
#include <stdint.h>

#include "types.h"

/* Whether the connections of both names are of the same client. A name without an address
 * ("unix:123") is the same as no name. */
bool client_is_same(const char *a, const char *b);

/* A hash of the client: the same for two names of which client_is_same() is true. */
uint32_t client_hash(const char *name);

/* Writes the name of the party to which the connections of a client ("192.0.2.1:1234") belong: "192.0.2.1",
 * "2001:db8:0:0::/64", "fe80::1", or the client's own name. */
void client_party(const char *client, char ret[static SCORE_CLIENT_MAX + 1]);
