/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * balance.h: how the gateways stand to each other by what is known: what each should
 * have (targets.h), and which slots of which nodes this gateway offers to others.
 */

#include "known.h"

/* This gateway's own numbers by now; the heartbeat that it sent last may be older. */
struct own {
	uint64_t now_usec;
	uint64_t lease_usec;         /* its L */
	uint64_t hears_usec;         /* since when this gateway hears others: what was silent before may not have been heard */
	uint64_t busy, waiting;
	uint64_t age_usec;           /* of its oldest waiter; 0: no connection waits */
	uint64_t list;               /* a hash of the names and cores of its list's nodes */
	bool leaving;
	bool company;                /* another gateway is there */
};

struct balance {
	size_t n, self;
	size_t peers[GATEWAYS_MAX];  /* which peer each target is of, in the order of their names */
	struct target targets[GATEWAYS_MAX];
	uint64_t owed[GATEWAYS_MAX]; /* so many slots this gateway should give to each */
};

/* Whether the peer has said nothing for the longer one of its lease and this gateway's, and 2 % more, while this gateway could hear
 * it: clocks differ by less. */
bool peer_is_silent(const struct peer *peer, const struct own *own);

/* When the peer becomes, or became, silent, in microseconds as own->now_usec. */
uint64_t peer_silent_usec(const struct peer *peer, const struct own *own);

/* For how long the peer's oldest waiter has waited, if it has not got a slot since the peer spoke. 0: none waited. */
uint64_t peer_age(const struct peer *peer, const struct own *own);

/* Whether connections of this gateway can go to the node. */
bool node_counts(const struct known_node *node);

/* Whether this gateway has had no use for the node for so long that other gateways are told so, and get its cores, but
 * balance_trial(). */
bool node_is_useless(const struct known_node *node, const struct own *own);

/* Its cores: the engine's word, or the list's while the engine does not have the node. */
uint32_t node_cores(const struct known_node *node);

/* Fills *b with the targets of all gateways and what this gateway owes each of them. */
void balance_set(struct balance *b, struct known *k, const struct own *own);

/* Whether the gateway at that place of b->targets has use for the node. This gateway looks at its own node; other gateways say
 * it in the node's value. */
bool balance_has_use(const struct balance *b, const struct known_node *node, size_t place);

/* By how many slots this gateway's share of the node is below its proportion, rounded up; 0: it is not below. */
uint64_t balance_lack(const struct balance *b, const struct known_node *node);

/* This gateway's share of a node that is down, if it can have so much: its connections there and a core for the connection that
 * tries the node. 0: it keeps none, as the node is not down, or another gateway can use it and it has fewer cores than there are
 * gateways. */
uint32_t balance_trial(const struct balance *b, const struct known_node *node);

/* Sets which slots of each node this gateway offers: those that go back to the rest, and what it owes others, of nodes for
 * which they have use. Free slots are offered first. For a gateway with waiters, slots that are still busy are offered, too.
 * 0; -ENOMEM: the offers stay. */
int balance_offer(struct known *k, const struct balance *b, const struct own *own);
