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

#define USELESS_USEC UINT64_C(1000000) /* a node that is down for a moment costs no commit */
#define TRIAL_SHARE 1u /* of a node that is down, so that a connection can try it */

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

/* Down, and a connection may try it. */
static bool is_down(const struct local *local)
{
	return local->here && !local->usable && !local->held && !local->spare && !local->leaving;
}

bool node_is_useless(const struct known_node *node, const struct own *own)
{
	const struct local *local = &node->local;

	return local->useless_usec > 0 && own->now_usec >= local->useless_usec + USELESS_USEC;
}

uint32_t node_cores(const struct known_node *node)
{
	return node->present ? node->cores : node->local.cores;
}

bool balance_has_use(const struct balance *b, const struct known_node *node, size_t place)
{
	size_t peer = b->peers[place];

	if (peer == 0)
		return node_counts(node);
	return node->present && node->readable && (node->useless & peer_bit(peer)) == 0;
}

#define EXCESS_SLOT INT64_C(256) /* a slot, as an excess */

/* How far this gateway's share of the node is above its proportion among the gateways that have use for the node; below 0:
 * it is below. */
static int64_t excess(const struct balance *b, const struct known_node *node)
{
	uint64_t weights = 0;
	size_t i;

	for (i = 0; i < b->n; i++)
		if (balance_has_use(b, node, i))
			weights += target_weight(&b->targets[i]);
	if (weights == 0)
		return 0;
	return EXCESS_SLOT * ((int64_t)(node->shares[0] * weights) -
			      (int64_t)(node_cores(node) * target_weight(&b->targets[b->self]))) / (int64_t)weights;
}

/* So much excess in slots, rounded up. */
static uint64_t in_slots(int64_t amount)
{
	return amount > 0 ? (uint64_t)((amount + EXCESS_SLOT - 1) / EXCESS_SLOT) : 0;
}

uint64_t balance_lack(const struct balance *b, const struct known_node *node)
{
	return in_slots(-excess(b, node));
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

/* Adds the node to what each gateway can use. Returns its cores, or 0 if no gateway has use for it. */
static uint64_t add_node(struct balance *b, const struct known_node *node)
{
	bool useful = false;
	size_t i;

	for (i = 0; i < b->n; i++) {
		struct target *target = &b->targets[i];

		if (!balance_has_use(b, node, i))
			continue;
		target->capacity += node_cores(node);
		target->owned += node->shares[b->peers[i]];
		useful |= target->counts;
	}
	return useful ? node_cores(node) : 0;
}

void balance_set(struct balance *b, struct known *k, const struct own *own)
{
	uint64_t cores = 0;
	size_t i;

	list_peers(b, k);
	for (i = 0; i < b->n; i++) {
		size_t peer = b->peers[i];

		if (peer == 0)
			b->self = i;
		b->targets[i] = peer == 0 ? target_of_self(own) : target_of(&k->peers[peer], own);
	}
	for (i = 0; i < k->n_nodes; i++)
		cores += add_node(b, k->nodes[i]);
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

static uint32_t above(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

/* Whether this gateway keeps a core of a node that is down. Where a node has not a core for each gateway, one that cannot use it
 * leaves it to those that can. */
static bool may_try(const struct balance *b, const struct known_node *node)
{
	size_t i;

	if (!is_down(&node->local))
		return false;
	for (i = 0; i < b->n && node_cores(node) < b->n; i++)
		if (i != b->self && b->targets[i].counts && balance_has_use(b, node, i))
			return false;
	return true;
}

uint32_t balance_trial(const struct balance *b, const struct known_node *node)
{
	return may_try(b, node) ? node->local.busy + TRIAL_SHARE : 0;
}

static uint32_t shed_of(const struct known_node *node, const struct balance *b, const struct own *own)
{
	const struct local *local = &node->local;

	/* A spare node's cores are for a gateway that has no other node. */
	if (own->leaving || !local->here || local->leaving || local->spare)
		return node->shares[0];
	if (own->company && node_is_useless(node, own))
		return above(node->shares[0], balance_trial(b, node));
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
static void offer_free(struct candidate *candidates, size_t n, uint64_t *amount)
{
	size_t i;

	for (i = 0; i < n && *amount > 0; i++) {
		const struct local *local = &candidates[i].node->local;
		uint32_t free = local->shed + candidates[i].free;

		*amount -= offer(candidates[i].node, *amount, candidates[i].before < free ? candidates[i].before : free);
	}
	for (i = 0; i < n && *amount > 0; i++) {
		struct candidate *c = &candidates[i];
		uint64_t above = in_slots(c->excess);

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

/* Lists the nodes with slots that can be offered to the gateway at that place, best first. */
static size_t list_candidates(struct known *k, const struct balance *b, size_t place, struct candidate *candidates)
{
	size_t i, n = 0;

	for (i = 0; i < k->n_nodes; i++) {
		struct known_node *node = k->nodes[i];
		uint32_t share = node->shares[0], used = node->local.busy + node->local.shed;

		if (share > node->local.shed && node_counts(node) && balance_has_use(b, node, place))
			candidates[n++] = (struct candidate){ .node = node, .free = share > used ? share - used : 0,
							      .before = node->local.offered, .excess = excess(b, node) };
	}
	qsort(candidates, n, sizeof(*candidates), by_preference);
	return n;
}

/* Offers what this gateway owes to the gateway at that place. */
static void offer_to(struct known *k, const struct balance *b, size_t place, struct candidate *candidates)
{
	size_t n = list_candidates(k, b, place, candidates);
	uint64_t owed = b->owed[place], left = owed, urgent = b->targets[place].waiting;

	if (urgent > owed)
		urgent = owed;
	offer_free(candidates, n, &left);
	if (urgent > owed - left)
		offer_busy(candidates, n, urgent - (owed - left));
}

int balance_offer(struct known *k, const struct balance *b, const struct own *own)
{
	struct candidate *candidates = NULL;
	bool owes = false;
	size_t i;

	for (i = 0; i < b->n; i++)
		owes |= b->owed[i] > 0 && !own->leaving;
	if (owes) {
		candidates = calloc(k->n_nodes, sizeof(*candidates));
		if (!candidates)
			return -ENOMEM;
	}
	for (i = 0; i < k->n_nodes; i++) {
		struct local *local = &k->nodes[i]->local;

		local->offered = local->offer;
		local->offer = local->shed = shed_of(k->nodes[i], b, own);
	}
	for (i = 0; i < b->n && owes; i++)
		if (b->owed[i] > 0)
			offer_to(k, b, i, candidates);
	free(candidates);
	return 0;
}
