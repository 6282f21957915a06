/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * party.h: the clients as --fair sees them. A party is all connections of an
 * IPv4 address, or of the 64 bits by which networks hand out IPv6 addresses; a
 * name without an address is a party of its own. A party has a count of the slots
 * that it holds, granted ones included, and a list of its tickets that wait,
 * oldest first.
 *
 * Parties are in pages of 16, the record "party/0/PAGE". A hash of its name says
 * which page a party is in. The records "party/LEVEL/PAGE" above are a tree: an
 * item sums up the page of that number on the level below, by the first of its
 * parties to get a slot: the party that waits and holds the fewest slots; of equal
 * parties the party that has held so few for the longest, since it came, or got or
 * gave back a slot. So the next ticket is found, and a change is noted, by one page
 * a level. (The oldest ticket does not tell which of equal parties is next: two
 * clients that queue a thousand each would take turns without the third, whose
 * ticket is younger.)
 *
 * The records are there if a connection has asked for them: then farm.parties is
 * how many parties they have room for. All but the turns follow from the slots and
 * from the cells of the queue.
 */

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"
#include "queue.h"
#include "scoreboard.h"
#include "store/store.h"

#define PARTIES_PER_PAGE 16u
#define PARTIES_FIRST 256u   /* of new records */
#define PARTIES_MAX (UINT32_C(1) << 24)

struct party {
	uint64_t turn;         /* what farm.turn was when a ticket of the party began to wait while it held so many slots */
	uint32_t held;         /* slots */
	uint32_t first, last;  /* cells of its tickets that wait, or NONE */
	uint32_t reserved;
	char name[SCORE_CLIENT_MAX + 1];
};

/* The functions below up to party_get() do nothing, and return 0, in a farm without parties. */

/* The client has a slot more. Staged only. 0; -EXFULL: party_grow() must make room first; or -errno. */
int party_hold(struct store *store, struct farm *farm, const char *client);

/* The client has a slot less. Staged only. 0; -EUCLEAN: it has none; or -errno. */
int party_release(struct store *store, struct farm *farm, const char *client);

/* The ticket in a cell waits, and its client's name is in the cell. Staged only. 0, -EXFULL as above, or -errno. */
int party_wait(struct store *store, struct farm *farm, uint32_t number);

/* The ticket in a cell waits no longer. Staged only. 0 or -errno. */
int party_unwait(struct store *store, const struct farm *farm, struct cell *cell);

/* Copies the client's party; a client that neither holds nor waits has an empty one. 0 or -errno. */
int party_get(struct store *store, const struct farm *farm, const char *client, struct party *ret);

/* Whether party a gets a slot before party b, if both wait. */
bool party_is_before(const struct party *a, const struct party *b);

/* The cell of the ticket that is to get the next slot. 0; 1: no ticket waits; or -errno. */
int party_next(struct store *store, const struct farm *farm, uint32_t *ret);

/* In a transaction, after the slots, the index and the queue were written: if farm.parties is not 0, makes the records what
 * follows from the slots and cells, for so many parties or for more. Changes farm; the caller writes it. 0; -EUSERS beyond
 * 16 million; or -errno. */
int party_build(struct store *store, struct farm *farm);

/* As party_build(), for twice as many parties as before. */
int party_grow(struct store *store, struct farm *farm);
