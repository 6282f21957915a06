/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * plan.c: which shares move next.
 *
 * Why a slot rests: a connection that has closed here may still be open at the node
 * for as long as its last packet takes to be sent again. So a slot goes to another
 * gateway when no connection can have used it for GATEWAY_REST_USEC. Two signs show
 * that: for so long the node has had no more connections than the lowered limit; or
 * its connections now, and all that have ended within that time, are so few.
 */

#include <string.h>

#include "plan.h"

#define STALE_REST_USEC UINT64_C(1000000) /* the rest of a node that no gateway takes for so long is for any gateway */

static struct plan_edit *edit(struct plan *plan, struct known_node *node)
{
	struct plan_edit *e = &plan->edits[plan->n++];

	*e = (struct plan_edit){ .node = node, .cores = node_cores(node), .useless = node->useless };
	memcpy(e->shares, node->shares, sizeof(e->shares));
	return e;
}

static void count(struct plan *plan, uint64_t slots)
{
	plan->slots += slots;
	plan->slot_nodes += slots > 0;
}

/* ---- the dead ---- */

uint64_t plan_reclaim_usec(const struct peer *peer, const struct own *own, const struct plan_rules *rules)
{
	if (rules->fence_tells)
		return peer->fenced_revision == peer->revision ? peer_silent_usec(peer, own) : UINT64_MAX;
	return peer_silent_usec(peer, own) + rules->fence_wait_usec;
}

/* Whether no gateway uses the peer's shares. A peer without a heartbeat has no lease, and gets none with those shares. */
static bool is_dead(const struct known *k, size_t i, const struct own *own, const struct plan_rules *rules)
{
	const struct peer *peer = &k->peers[i];

	if (peer->name[0] == '\0')
		return false;
	return !peer->present || own->now_usec >= plan_reclaim_usec(peer, own, rules);
}

static bool plan_reclaim(struct plan *plan, const struct known *k, size_t peer)
{
	size_t i;

	*plan = (struct plan){ .kind = GATEWAY_RECLAIMED, .peer = peer };
	for (i = 0; i < k->n_nodes && plan->n < PLAN_NODES; i++) {
		uint32_t share = k->nodes[i]->shares[peer];
		struct plan_edit *e;

		if (share == 0)
			continue;
		e = edit(plan, k->nodes[i]);
		e->shares[peer] = 0;
		e->useless &= ~peer_bit(peer);
		count(plan, share);
	}
	return plan->n > 0 || k->peers[peer].present;
}

static bool plan_the_dead(struct plan *plan, const struct known *k, const struct own *own, const struct plan_rules *rules)
{
	size_t i;

	for (i = 1; i < GATEWAYS_MAX; i++)
		if (is_dead(k, i, own, rules) && plan_reclaim(plan, k, i))
			return true;
	return false;
}

/* ---- the list ---- */

/* Whether the node gets the list's cores. Any list makes a node smaller, and all of them together make it larger: the cores of
 * lists that differ do not come and go. */
static bool has_other_cores(const struct known_node *node, const struct plan_rules *rules)
{
	const struct local *local = &node->local;

	return local->cores < node->cores ? rules->said_list : local->cores > node->cores && rules->settled_list;
}

/* Nodes that the engine does not have come with all their cores in the rest. Where all gateways have the same list, nodes go that
 * have no shares and that no list has. */
static bool plan_list(struct plan *plan, const struct known *k, const struct plan_rules *rules)
{
	size_t i;

	*plan = (struct plan){ .kind = GATEWAY_TOOK };
	for (i = 0; i < k->n_nodes && plan->n < PLAN_NODES; i++) {
		struct known_node *node = k->nodes[i];
		const struct local *local = &node->local;
		bool listed = local->here && !local->leaving;

		if (!node->present && listed)
			(void)edit(plan, node);
		else if (!node->present || !node->readable)
			continue;
		else if (listed && has_other_cores(node, rules))
			edit(plan, node)->cores = local->cores;
		else if (rules->settled_list && !local->here && known_sum(node) == 0)
			edit(plan, node)->remove = true;
	}
	return plan->n > 0;
}

/* ---- use ---- */

/* A gateway that is alone need not say it. When it leaves, what it said goes. */
static bool says_useless(const struct known_node *node, const struct own *own)
{
	bool said = (node->useless & peer_bit(0)) != 0;

	return !own->leaving && node_is_useless(node, own) && (said || own->company);
}

static bool plan_use(struct plan *plan, const struct known *k, const struct own *own)
{
	size_t i;

	*plan = (struct plan){ .kind = GATEWAY_TOOK };
	for (i = 0; i < k->n_nodes && plan->n < PLAN_NODES; i++) {
		struct known_node *node = k->nodes[i];

		if (node->present && node->readable &&
		    says_useless(node, own) != ((node->useless & peer_bit(0)) != 0))
			edit(plan, node)->useless ^= peer_bit(0);
	}
	return plan->n > 0;
}

/* ---- what is offered ---- */

/* The most connections that the node can have had at one moment within the time of rest; UINT64_MAX: not known. */
static uint64_t recent_peak(const struct local *local, uint64_t now_usec)
{
	uint64_t since = 0, ended = 0;
	size_t i;

	for (i = 0; i < WINDOW; i++) {
		if (local->window[i].usec == 0 || local->window[i].usec + GATEWAY_REST_USEC > now_usec ||
		    local->window[i].usec < since)
			continue;
		since = local->window[i].usec;
		ended = local->window[i].ended;
	}
	return since == 0 || !local->here ? UINT64_MAX : local->busy + (local->ended - ended);
}

/* The highest level of now and of the time of rest. */
static uint32_t recent_level(const struct local *local)
{
	return local->n_former > 0 && local->former[0].level > local->level ? local->former[0].level : local->level;
}

uint32_t plan_rested(const struct known_node *node, const struct own *own)
{
	const struct local *local = &node->local;
	uint64_t used = recent_level(local), peak = recent_peak(local, own->now_usec);

	/* Connections that will come count, too. */
	if (peak < local->level)
		peak = local->level;
	if (peak < used)
		used = peak;
	if (used >= node->shares[0])
		return 0;
	return node->shares[0] - used < local->offer ? node->shares[0] - (uint32_t)used : local->offer;
}

/* Slots that go back to the rest. */
static bool plan_shed(struct plan *plan, const struct known *k, const struct own *own)
{
	size_t i;

	*plan = (struct plan){ .kind = GATEWAY_SHED };
	for (i = 0; i < k->n_nodes && plan->n < PLAN_NODES; i++) {
		struct known_node *node = k->nodes[i];
		uint32_t rested = node->local.shed > 0 ? plan_rested(node, own) : 0;

		if (rested > node->local.shed)
			rested = node->local.shed;
		if (rested == 0)
			continue;
		edit(plan, node)->shares[0] -= rested;
		count(plan, rested);
	}
	return plan->n > 0;
}

/* The gateway that gets the next slots: of those that are owed some, that with the oldest waiter. b->n: there is none. */
static size_t next_owed(const struct balance *b)
{
	size_t i, best = b->n;

	for (i = 0; i < b->n; i++)
		if (b->owed[i] > 0 && (best == b->n || b->targets[i].age_usec > b->targets[best].age_usec))
			best = i;
	return best;
}

static bool plan_give(struct plan *plan, const struct known *k, const struct balance *b, const struct own *own)
{
	size_t i, to = next_owed(b);

	if (to == b->n)
		return false;
	*plan = (struct plan){ .kind = GATEWAY_GAVE, .peer = b->peers[to] };
	for (i = 0; i < k->n_nodes && plan->n < PLAN_NODES && plan->slots < b->owed[to]; i++) {
		struct known_node *node = k->nodes[i];
		uint64_t left = b->owed[to] - plan->slots;
		uint32_t rested = node->local.offer > 0 && balance_has_use(b, node, to) ? plan_rested(node, own) : 0;
		struct plan_edit *e;

		if (rested > left)
			rested = (uint32_t)left;
		if (rested == 0)
			continue;
		e = edit(plan, node);
		e->shares[0] -= rested;
		e->shares[plan->peer] += rested;
		count(plan, rested);
	}
	return plan->n > 0;
}

/* ---- the rest ---- */

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Adds slots of the node's rest to its edit, or to a new edit. */
static void take(struct plan *plan, struct known_node *node, uint64_t slots)
{
	size_t i;

	for (i = 0; i < plan->n && plan->edits[i].node != node; i++)
		;
	if (slots == 0 || (i == plan->n && plan->n == PLAN_NODES))
		return;
	if (i == plan->n) {
		(void)edit(plan, node);
		plan->slot_nodes++;
	}
	plan->edits[i].shares[0] += (uint32_t)slots;
	plan->slots += slots;
}

static uint32_t rest_left(const struct plan *plan, const struct known_node *node)
{
	size_t i;

	for (i = 0; i < plan->n; i++)
		if (plan->edits[i].node == node)
			return known_rest(node) - (plan->edits[i].shares[0] - node->shares[0]);
	return known_rest(node);
}

/* Takes cores with which connections can try nodes that are down. */
static void take_trials(struct plan *plan, const struct known *k, const struct balance *b, const struct own *own)
{
	size_t i;

	for (i = 0; i < k->n_nodes; i++) {
		struct known_node *node = k->nodes[i];
		uint32_t wanted = node_is_useless(node, own) ? balance_trial(b, node) : 0;

		if (wanted > node->shares[0])
			take(plan, node, smaller(rest_left(plan, node), wanted - node->shares[0]));
	}
}

/* Whether another gateway takes of the node's rest, as it is below its target. */
static bool is_wanted(const struct balance *b, const struct known_node *node)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (i != b->self && b->targets[i].counts && b->targets[i].owned < b->targets[i].target &&
		    balance_has_use(b, node, i))
			return true;
	return false;
}

/* A gateway below its target takes what it lacks, of each node in proportion first. What no other gateway wants it takes above
 * its target, too: so it can give cores of other nodes to a gateway that cannot use this node. What no gateway takes for a
 * while, since lists differ or a gateway finds the node down, goes to a gateway that needs it. */
static bool plan_take(struct plan *plan, const struct known *k, const struct balance *b, const struct own *own)
{
	const struct target *self = &b->targets[b->self];
	uint64_t lack = self->target > self->owned ? self->target - self->owned : 0, need = self->waiting;
	size_t i;
	int pass;

	*plan = (struct plan){ .kind = GATEWAY_TOOK };
	if (own->leaving)
		return false;
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < k->n_nodes && lack > plan->slots; i++) {
			struct known_node *node = k->nodes[i];
			uint64_t most = node_counts(node) ? rest_left(plan, node) : 0;

			/* First up to its proportion. */
			if (pass == 0)
				most = smaller(most, balance_lack(b, node));
			take(plan, node, smaller(most, lack - plan->slots));
		}
	}
	take_trials(plan, k, b, own);
	for (i = 0; i < k->n_nodes; i++)
		if (node_counts(k->nodes[i]) && !is_wanted(b, k->nodes[i]))
			take(plan, k->nodes[i], rest_left(plan, k->nodes[i]));
	for (i = 0; i < k->n_nodes && need > plan->slots; i++) {
		struct known_node *node = k->nodes[i];

		if (node_counts(node) && own->now_usec >= node->seen_usec + STALE_REST_USEC)
			take(plan, node, smaller(rest_left(plan, node), need - plan->slots));
	}
	return plan->n > 0;
}

bool plan_next(struct plan *plan, const struct known *k, const struct balance *b, const struct own *own,
	       const struct plan_rules *rules)
{
	return plan_the_dead(plan, k, own, rules) || (!own->leaving && plan_list(plan, k, rules)) || plan_use(plan, k, own) ||
	       plan_shed(plan, k, own) || (!own->leaving && plan_give(plan, k, b, own)) || plan_take(plan, k, b, own);
}
