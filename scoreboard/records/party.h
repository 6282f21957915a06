/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * party.h: the clients as --fair sees them. A party is all connections of a
 * client (client.h); a name without an address is a party of its own. A party has
 * a count of the slots that it holds, granted slots included, and lists of its
 * tickets that wait, oldest first.
 *
 * Entrances may have limits of their own (--per-client). A party has a part for
 * each limit of its tickets; a party of which no ticket waits has a single part,
 * with limit 0. The parts of a party have the same count and turn.
 *
 * Parts are in pages of 16, the record "party/0/PAGE" (party_page.h). A hash of the
 * party's name says which page its parts are in. Which ticket is next stands in the
 * records above them (party_tree.h).
 *
 * The records are there if a connection has asked for them: then farm.parties is
 * how many parts they have room for. All but the turns follow from the slots and
 * from the cells of the queue.
 */

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"
#include "queue.h"
#include "types.h"
#include "store/store.h"

#define PARTIES_PER_PAGE 16u /* parts */
#define PARTIES_FIRST 256u   /* of new records */
#define PARTIES_MAX (UINT32_C(1) << 24)

/* A part of a party. */
struct party {
	uint64_t turn;         /* what farm.turn was when a ticket of the party began to wait while it held so many slots */
	uint32_t held;         /* slots */
	uint32_t first, last;  /* cells of its tickets that wait and have this limit, or NONE */
	uint32_t limit;        /* the party may hold so many slots; 0: any number */
	char name[SCORE_CLIENT_MAX + 1];
};

/* The functions below up to party_unwait() do nothing, and return 0, in a farm without parties. */

/* The client has a slot more. Staged only. 0; -EXFULL: party_grow() must make room first; or -errno. */
int party_hold(struct store *store, struct farm *farm, const char *client);

/* The client has a slot less. Staged only. 0; -EUCLEAN: it has none; or -errno. */
int party_release(struct store *store, struct farm *farm, const char *client);

/* The ticket in a cell waits, and its client's name and limit are in the cell. Tickets of a party have at most 15 limits: a
 * ticket with another gets the next lower limit, or the lowest if none is lower. Staged only. 0; -EXFULL as above; or -errno. */
int party_wait(struct store *store, struct farm *farm, uint32_t number);

/* The ticket in a cell waits no longer. Staged only. 0 or -errno. */
int party_unwait(struct store *store, const struct farm *farm, struct cell *cell);

/* Copies the client's party, any part of it; a client that neither holds nor waits has an empty one. 0 or -errno. */
int party_get(struct store *store, const struct farm *farm, const char *client, struct party *ret);

/* Whether the client of the ticket in a cell holds as many slots as that ticket's limit: 1, 0, or -errno. */
int party_is_full(struct store *store, const struct farm *farm, const struct cell *cell);
