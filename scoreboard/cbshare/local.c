/* SPDX-License-Identifier: GPL-3.0-or-later */

/* local.c: looks at the gateway's own nodes, and limits them. */

#include <errno.h>
#include <string.h>

#include "local.h"

#define WINDOW_STEP_USEC (GATEWAY_REST_USEC / 3)

/* ---- looking ---- */

/* What the latest turn saw, and set, was so before now. Levels from before the time of rest count no more. */
static void stamp(struct local *local, uint64_t now_usec)
{
	unsigned i, kept = 0;

	for (i = 0; i < local->n_former; i++) {
		if (local->former[i].until_usec == 0)
			local->former[i].until_usec = now_usec;
		if (local->former[i].until_usec + GATEWAY_REST_USEC > now_usec)
			local->former[kept++] = local->former[i];
	}
	local->n_former = kept;
	if (local->counted && now_usec >= local->window[local->newest].usec + WINDOW_STEP_USEC) {
		local->newest = (local->newest + 1) % WINDOW;
		local->window[local->newest].usec = now_usec;
		local->window[local->newest].ended = local->ended_before;
	}
}

/* From now on the node has no more connections than level. Of former levels those above it count. */
static void set_level(struct local *local, uint32_t level)
{
	unsigned i;

	if (level < local->level) {
		for (i = local->n_former; i > 0 && local->former[i - 1].level <= local->level; i--)
			;
		/* Too many: the lowest stands for the new level, too. */
		i = i == LEVELS ? LEVELS - 1 : i;
		if (i == local->n_former || local->former[i].level < local->level)
			local->former[i].level = local->level;
		local->former[i].until_usec = 0;
		local->n_former = i + 1;
	}
	local->level = level;
}

static void see_level(struct local *local)
{
	set_level(local, local->busy > local->limit ? local->busy : local->limit);
}

static void forget_window(struct local *local)
{
	size_t i;

	for (i = 0; i < WINDOW; i++)
		local->window[i].usec = 0;
	local->counted = false;
}

/* The node has gone from the scoreboard, and with it its last connection, at an unknown moment before. */
static void set_gone(struct local *local)
{
	local->busy = local->limit = 0;
	see_level(local);
	forget_window(local);
}

static void set_local(struct local *local, const struct gateway_node *node)
{
	if (local->counted && node->ended < local->ended_before)
		forget_window(local);
	local->here = true;
	local->id = node->id;
	local->cores = node->cores;
	local->limit = node->share;
	local->busy = node->busy;
	local->ended = local->ended_before = node->ended;
	local->counted = true;
	local->usable = node->usable;
	local->held = node->held;
	local->spare = node->spare;
	local->leaving = node->leaving;
	see_level(local);
}

/* A process that begins anew finds what it said before. */
static void note_use(struct known_node *node, uint64_t now_usec)
{
	if (node_counts(node))
		node->local.useless_usec = 0;
	else if (node->useless & peer_bit(0))
		node->local.useless_usec = 1;
	else if (node->local.useless_usec == 0)
		node->local.useless_usec = now_usec;
}

/* FNV-1a. */
static uint64_t hash(uint64_t h, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	size_t i;

	for (i = 0; i < size; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t hash_list(const struct known *k)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < k->n_nodes; i++) {
		const struct known_node *node = k->nodes[i];
		unsigned char cores[] = { (unsigned char)(node->local.cores >> 8), (unsigned char)node->local.cores };

		if (!node->local.here || node->local.leaving)
			continue;
		h = hash(h, node->name, strlen(node->name) + 1);
		h = hash(h, cores, sizeof(cores));
	}
	/* JSON's numbers are signed in many libraries. */
	return h >> 1;
}

int local_look(struct known *k, const struct gateway_farm *farm, struct own *own, uint64_t *ret_lease)
{
	struct gateway_look look;
	int r = farm->look(farm->context, &look);
	size_t i;

	if (r < 0)
		return r;
	for (i = 0; i < look.n_nodes; i++)
		if (!known_listed(k, i, look.nodes[i].name))
			return -ENOMEM;
	for (i = 0; i < k->n_nodes; i++) {
		stamp(&k->nodes[i]->local, own->now_usec);
		k->nodes[i]->local.here = false;
	}
	own->busy = 0;
	for (i = 0; i < look.n_nodes; i++) {
		set_local(&known_listed(k, i, look.nodes[i].name)->local, &look.nodes[i]);
		own->busy += look.nodes[i].busy;
	}
	for (i = 0; i < k->n_nodes; i++)
		if (!k->nodes[i]->local.here)
			set_gone(&k->nodes[i]->local);
	for (i = 0; i < k->n_nodes; i++)
		note_use(k->nodes[i], own->now_usec);
	own->waiting = look.waiting;
	own->age_usec = look.age_usec;
	own->list = hash_list(k);
	*ret_lease = look.lease_usec;
	return 0;
}

/* ---- limiting ---- */

static uint32_t wanted_limit(const struct known_node *node, bool settled)
{
	const struct local *local = &node->local;
	uint32_t share = node->shares[0];
	uint32_t limit = share > local->offer ? share - local->offer : 0;

	return !settled && limit > local->limit ? local->limit : limit;
}

static int set_limit(struct local *local, const struct gateway_farm *farm, uint32_t limit, bool *ret_lowered)
{
	int r = farm->set_share(farm->context, local->id, limit, &local->busy);

	/* The next look finds it gone. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	*ret_lowered |= limit < local->limit;
	local->limit = limit;
	see_level(local);
	return 0;
}

int local_limit(struct known *k, const struct gateway_farm *farm, bool settled, bool *ret_lowered)
{
	size_t i;

	*ret_lowered = false;
	for (i = 0; i < k->n_nodes; i++) {
		struct known_node *node = k->nodes[i];
		uint32_t limit = wanted_limit(node, settled);
		int r = 0;

		if (node->local.here && limit != node->local.limit)
			r = set_limit(&node->local, farm, limit, ret_lowered);
		if (r < 0)
			return r;
	}
	return 0;
}
