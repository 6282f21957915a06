/* SPDX-License-Identifier: GPL-3.0-or-later */

/* gateway_status.c: how the gateway stands, for pages and logs. */

#include "gateway_state.h"

static struct gateway_peer peer_status(const struct gateway *g, size_t i)
{
	const struct peer *peer = &g->known.peers[i];
	struct gateway_peer p = { .name = peer->name, .self = i == 0, .said_usec = peer->heard_usec };
	size_t j;

	for (j = 0; j < g->known.n_nodes; j++)
		p.shares += g->known.nodes[j]->shares[i];
	p.silent = i == 0 ? g->lapsed : peer_is_silent(peer, &g->own);
	p.leaving = i == 0 ? g->own.leaving : peer->said.leaving;
	p.same_list = i == 0 || peer->said.list == g->own.list;
	p.busy = i == 0 ? g->own.busy : peer->said.busy;
	p.waiting = i == 0 ? g->own.waiting : peer->said.waiting;
	p.age_usec = i == 0 ? g->own.age_usec : peer->said.age_usec;
	if (i == 0)
		p.said_usec = g->said_usec;
	return p;
}

void gateway_status(const struct gateway *g, struct gateway_status *ret)
{
	size_t i;

	*ret = (struct gateway_status){ .settled = g->state == STATE_ACTIVE, .lease_usec = g->lease_usec };
	for (i = 0; i < g->known.n_nodes; i++) {
		const struct known_node *node = g->known.nodes[i];

		ret->nodes += node->present;
		ret->cores += node->present ? node->cores : 0;
		ret->rest += known_rest(node);
	}
	for (i = 0; i < GATEWAYS_MAX; i++)
		if (i == 0 || (g->known.peers[i].name[0] != '\0' && g->known.peers[i].present))
			ret->peers[ret->n_peers++] = peer_status(g, i);
}
