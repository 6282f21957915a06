/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * client.h: how many slots a client has: all connections from an IPv4 address,
 * or from the 64 bits by which networks hand out IPv6 addresses.
 */

#include <stdbool.h>

#include "section.h"

#define CLIENTS_FULL_MAX 16u

/* Clients that were found to have all the slots that they may, within a section. They stay so while slots are only
 * given out. */
struct clients_full {
	unsigned n;
	uint32_t limits[CLIENTS_FULL_MAX];
	char names[CLIENTS_FULL_MAX][SCORE_CLIENT_MAX + 1];
};

/* Whether the connections of both names ("192.0.2.1:1234", "[2001:db8::1]:1234") count together. Names without an
 * address ("unix:123") count with no other name. */
bool client_is_same(const char *a, const char *b);

/* A hash of what counts together: the same for two names of which client_is_same() is true. */
uint32_t client_hash(const char *name);

/*
 * In a section: whether the client has limit slots or more; not counting the slot of a ticket, if ticket is not 0. 1,
 * 0, or -errno. A limit of 0 is none. Costs a look at each taken slot, until the limit is reached. known may be NULL;
 * else it spares looks within the section.
 */
int client_is_full(struct score *s, const struct farm *farm, const char *client, uint32_t limit, uint64_t ticket,
		   struct clients_full *known);
