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
 * Parts are in pages of 16, the record "party/0/PAGE". A hash of the party's name
 * says which page its parts are in. The records "party/LEVEL/PAGE" above are a
 * tree: an item sums up the page of that number on the level below, by the first of
 * its parts to get a slot. A part of which no ticket waits, or with a party that
 * holds as many slots as the part's limit, gets none. Of the others it is the part
 * of the party that holds the fewest slots; of equal parties the one that has held
 * so few for the longest, since it came, or got or gave back a slot; of a party's
 * parts that with the oldest ticket. So the next ticket is found, and a change is
 * noted, by one page a level, whatever the limits and however many may have none.
 * (The oldest ticket does not tell which of equal parties is next: two
 * clients that queue a thousand each would take turns without the third, whose
 * ticket is younger.)
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

/* The cell of the ticket that is to get the next slot. 0; 1: no ticket waits that may have a slot; or -errno. */
int party_next(struct store *store, const struct farm *farm, uint32_t *ret);

/* In a transaction, after the slots, the index and the queue were written: if farm.parties is not 0, makes the records what
 * follows from the slots and cells, for so many parties or for more. Changes farm; the caller writes it. 0; -EUSERS beyond
 * 16 million; or -errno. */
int party_build(struct store *store, struct farm *farm);

/* As party_build(), for twice as many parties as before. */
int party_grow(struct store *store, struct farm *farm);
