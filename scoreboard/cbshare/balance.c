/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * balance.c: which slots are offered.
 *
 * A slot that is offered is not used for new connections any more, and changes
 * hands once it has rested. So offers stay where they are as long as they are owed:
 * a node that was offered before comes first among those without a free slot.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"

/* ---- peers ---- */

uint64_t peer_silent_usec(const struct peer *peer, const struct own *own)
{
	uint64_t lease = peer->readable && peer->said.lease_usec > own->lease_usec ? peer->said.lease_usec : own->lease_usec;

	return (peer->heard_usec > own->hears_usec ? peer->heard_usec : own->hears_usec) + lease + lease / 50 + 1;
}

bool peer_is_silent(const struct peer *peer, const struct own *own)
{
	return own->now_usec >= peer_silent_usec(peer, own);
}

uint64_t peer_age(const struct peer *peer, const struct own *own)
{
	return peer->readable && peer->said.waiting > 0 ? peer->said.age_usec + (own->now_usec - peer->heard_usec) : 0;
}

/* ---- nodes ---- */

bool node_counts(const struct known_node *node)
{
	return node->local.here && node->local.usable && !node->local.leaving && (node->readable || !node->present);
}

uint32_t node_cores(const struct known_node *node)
{
	return node->present ? node->cores : node->local.cores;
}

static int64_t excess_of(const struct balance *b, const struct known_node *node, size_t peer, const struct target *target)
{
	return (int64_t)(node->shares[peer] * b->weights) - (int64_t)(node_cores(node) * target_weight(target));
}

int64_t balance_excess(const struct balance *b, const struct known_node *node)
{
	return excess_of(b, node, 0, &b->targets[b->self]);
}

/* ---- targets ---- */

static int by_name(const void *a, const void *b, void *arg)
{
	const struct known *k = arg;

	return strcmp(k->peers[*(const size_t *)a].name, k->peers[*(const size_t *)b].name);
}

static void list_peers(struct balance *b, struct known *k)
{
	size_t i;

	b->n = 0;
	for (i = 0; i < GATEWAYS_MAX; i++)
		if (i == 0 || (k->peers[i].name[0] != '\0' && k->peers[i].present))
			b->peers[b->n++] = i;
	qsort_r(b->peers, b->n, sizeof(b->peers[0]), by_name, k);
}

static struct target target_of_self(const struct own *own)
{
	return (struct target){ .counts = !own->leaving, .busy = own->busy, .waiting = own->waiting,
				.age_usec = own->age_usec };
}

static struct target target_of(const struct peer *peer, const struct own *own)
{
	return (struct target){ .counts = peer->readable && !peer->said.leaving && !peer_is_silent(peer, own),
				.busy = peer->said.busy, .waiting = peer->said.waiting, .age_usec = peer_age(peer, own),
				.aged = peer->aged_revision != peer->revision };
}

void balance_set(struct balance *b, struct known *k, const struct own *own)
{
	uint64_t cores = 0;
	size_t i, j;

	list_peers(b, k);
	b->weights = 0;
	for (i = 0; i < b->n; i++) {
		size_t peer = b->peers[i];

		if (peer == 0)
			b->self = i;
		b->targets[i] = peer == 0 ? target_of_self(own) : target_of(&k->peers[peer], own);
		b->weights += target_weight(&b->targets[i]);
	}
	for (j = 0; j < k->n_nodes; j++) {
		const struct known_node *node = k->nodes[j];

		if (!node_counts(node))
			continue;
		cores += node_cores(node);
		for (i = 0; i < b->n; i++)
			b->targets[i].owned += node->shares[b->peers[i]];
	}
	targets_set(b->targets, b->n, cores);
	targets_owed(b->targets, b->n, b->self, b->owed);
}

/* ---- offers ---- */

/* A node may have more shares than cores, as its list has changed. Then this gateway keeps its proportion, rounded down; what
 * that leaves is taken again. */
static uint32_t kept_share(const struct known_node *node)
{
	uint64_t sum = known_sum(node);

	return sum > node->cores ? (uint32_t)((uint64_t)node->cores * node->shares[0] / sum) : node->shares[0];
}

static uint32_t shed_of(const struct known_node *node, const struct own *own)
{
	const struct local *local = &node->local;

	/* A spare node's cores are for a gateway that has no other node. */
	if (own->leaving || !local->here || local->leaving || local->spare)
		return node->shares[0];
	return node->shares[0] - kept_share(node);
}

struct candidate {
	struct known_node *node;
	uint32_t free;
	uint32_t before;             /* what it offered before */
	int64_t excess;
};

static int by_preference(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	bool x_stays = x->free > 0 && x->before > 0, y_stays = y->free > 0 && y->before > 0;

	if (x_stays != y_stays)
		return x_stays ? -1 : 1;
	if ((x->free > 0) != (y->free > 0))
		return x->free > 0 ? -1 : 1;
	if ((x->before > 0) != (y->before > 0))
		return x->before > 0 ? -1 : 1;
	if (x->excess != y->excess)
		return x->excess > y->excess ? -1 : 1;
	return strcmp(x->node->name, y->node->name);
}

/* Offers up to amount slots of the node, of at most limit slots. Returns how many more are offered now. */
static uint64_t offer(struct known_node *node, uint64_t amount, uint64_t limit)
{
	struct local *local = &node->local;
	uint64_t more = local->offer < limit ? limit - local->offer : 0;

	if (more > amount)
		more = amount;
	local->offer += (uint32_t)more;
	return more;
}

/*
 * Offers free slots: first those that were offered before, then of each node the slots above its proportion. So every
 * gateway keeps a part of each node. *amount is what is still to be offered, and becomes less.
 */
static void offer_free(struct candidate *candidates, size_t n, const struct balance *b, uint64_t *amount)
{
	size_t i;

	for (i = 0; i < n && *amount > 0; i++) {
		const struct local *local = &candidates[i].node->local;
		uint32_t free = local->shed + candidates[i].free;

		*amount -= offer(candidates[i].node, *amount, candidates[i].before < free ? candidates[i].before : free);
	}
	for (i = 0; i < n && *amount > 0; i++) {
		struct candidate *c = &candidates[i];
		uint64_t above = c->excess > 0 && b->weights > 0 ? ((uint64_t)c->excess + b->weights - 1) / b->weights : 0;

		*amount -= offer(c->node, *amount, c->node->local.shed + (above < c->free ? above : c->free));
	}
	for (i = 0; i < n && *amount > 0; i++)
		*amount -= offer(candidates[i].node, *amount, candidates[i].node->local.shed + candidates[i].free);
}

/* Offers slots with connections, one of each node in turn. */
static void offer_busy(struct candidate *candidates, size_t n, uint64_t amount)
{
	uint64_t before;
	size_t i;

	do {
		before = amount;
		for (i = 0; i < n && amount > 0; i++)
			amount -= offer(candidates[i].node, 1, candidates[i].node->shares[0]);
	} while (amount > 0 && amount < before);
}

/* Lists the nodes with slots that can be offered, best first. */
static size_t list_candidates(struct known *k, const struct balance *b, struct candidate *candidates)
{
	size_t i, n = 0;

	for (i = 0; i < k->n_nodes; i++) {
		struct known_node *node = k->nodes[i];
		uint32_t share = node->shares[0], used = node->local.busy + node->local.shed;

		if (share > node->local.shed && node_counts(node))
			candidates[n++] = (struct candidate){ .node = node, .free = share > used ? share - used : 0,
							      .before = node->local.offer, .excess = balance_excess(b, node) };
	}
	qsort(candidates, n, sizeof(*candidates), by_preference);
	return n;
}

static void owed_in_all(const struct balance *b, uint64_t *ret_all, uint64_t *ret_urgent)
{
	size_t i;

	*ret_all = *ret_urgent = 0;
	for (i = 0; i < b->n; i++) {
		*ret_all += b->owed[i];
		*ret_urgent += b->owed[i] < b->targets[i].waiting ? b->owed[i] : b->targets[i].waiting;
	}
}

int balance_offer(struct known *k, const struct balance *b, const struct own *own)
{
	struct candidate *candidates = NULL;
	uint64_t all, urgent, left;
	size_t i, n = 0;

	owed_in_all(b, &all, &urgent);
	if (all > 0 && !own->leaving) {
		candidates = calloc(k->n_nodes, sizeof(*candidates));
		if (!candidates)
			return -ENOMEM;
	}
	for (i = 0; i < k->n_nodes; i++)
		k->nodes[i]->local.shed = shed_of(k->nodes[i], own);
	if (candidates)
		n = list_candidates(k, b, candidates);
	for (i = 0; i < k->n_nodes; i++)
		k->nodes[i]->local.offer = k->nodes[i]->local.shed;
	left = all;
	offer_free(candidates, n, b, &left);
	if (urgent > all - left)
		offer_busy(candidates, n, urgent - (all - left));
	free(candidates);
	return 0;
}
