/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm.h: the record "farm": what counts for all nodes together. A scoreboard has
 * one such record.
 */

#include <stdbool.h>
#include <stdint.h>

#include "index.h"
#include "split.h"

#define TICKET_MAX (UINT64_C(1) << 62)
#define NONE UINT32_MAX /* no cell, no slot, no position */

/* The record "farm". */
struct farm {
	uint64_t next_ticket;
	uint64_t reaped_usec;         /* CLOCK_BOOTTIME of the last look for dead holders */
	uint32_t next_id;             /* node ids are never used twice */
	uint32_t n_nodes;             /* positions in the index */
	uint32_t primaries_up;        /* nodes that are up and no backup; derived */
	uint32_t busy;                /* slots held or handed over; derived */
	uint32_t paused;
	uint32_t cursor;              /* where roundrobin goes on */
	uint32_t queue_head, queue_tail, queue_length;
	uint32_t cells, free_cell;    /* room of the queue, and its first free cell */
	uint32_t granted;             /* cells with a slot that has not been taken yet; derived */
	uint32_t granted_head, granted_tail; /* the list of these cells */
	uint32_t nodes_up;            /* nodes that are up, backups too; derived */
	uint32_t lost;                /* processes that may hold a lost slot, see lost.h */
	uint32_t lost_round;          /* the number of the latest loss; 0: none yet */
	uint32_t incomplete;          /* nodes could not be read: a load of the list must bring them back */
	uint32_t layout;              /* a new number after each change of the nodes' order */
	uint32_t verbosity;           /* how much more programs log than their options say; 0: nothing more */
	uint32_t ring;                /* RING_THERE: there is a ring, see ring.h */
	uint32_t clients;             /* how many clients are remembered, see memory.h; 0: none */
	uint32_t parties;             /* how many parties there is room for, see party.h; 0: there are none */
	uint32_t party_seed;          /* picked at random: by it and its name a party is in a page */
	uint32_t fair;                /* 1: the next slot goes to the party that holds the fewest, and not to the oldest ticket */
	uint32_t forget_sec;          /* a client that has not come for so long is not remembered, see memory.h; 0: an hour */
	uint64_t turn;                /* the latest of the parties' turns */
	struct split split;           /* which part of each node's cores is this gateway's */
	uint64_t unsplit_usec;        /* CLOCK_BOOTTIME of the change since when nodes may have other shares than the split's; 0:
				       * no node has */
	uint64_t lease_usec;          /* CLOCK_BOOTTIME: from then on no slot is given out; 0: no lease is needed */
	struct index_key root;        /* the best of the index; derived */
};

/* Whether the sizes in the record can be true: then it is safe to allocate and loop by them. 0 or -EUCLEAN. */
int farm_check(const struct farm *farm);

/* Whether no slot may be given out, because the time is over until which other gateways leave the nodes' shares to this
 * one. */
bool farm_is_lapsed(const struct farm *farm);

#define FARM_LEASE_OVER 1u /* as lease_usec: a lease that never was, or is of another boot; it ended with the first microsecond */

/* How the nodes are split: SPLIT_LEASED if the farm needs a lease. */
struct split farm_split(const struct farm *farm);

/* The share that a new node of that name and so many cores begins with. */
uint32_t farm_share(const struct farm *farm, const char *name, uint32_t cores);
