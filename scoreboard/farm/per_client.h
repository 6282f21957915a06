/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * per_client.h: whether a client has all the slots that it may have.
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

/*
 * In a section: whether the client has limit slots or more; not counting the slot of a ticket, if ticket is not 0. 1,
 * 0, or -errno. A limit of 0 is none. Costs a look at each taken slot, until the limit is reached. known may be NULL;
 * else it spares looks within the section.
 */
int client_is_full(struct score *s, const struct farm *farm, const char *client, uint32_t limit, uint64_t ticket,
		   struct clients_full *known);
