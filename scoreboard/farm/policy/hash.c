/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * hash.c: the node to which the client's address belongs, by the ring (ring.h).
 * If that node takes no connection now, the address has a second node, a third,
 * and so on, by other hashes; then the connection goes where fastest sends it.
 */

#include <stddef.h>
#include <string.h>

#include "policy.h"
#include "records/ring.h"

/* Whether a client belongs to nodes, and the hash by which it does. */
static bool is_hashed(const struct farm *farm, const char *client, uint64_t *ret)
{
	size_t length = policy_address_length(client);

	*ret = ring_hash(client, length);
	return farm->ring == RING_THERE && length > 0;
}

static int choose(struct store *store, struct farm *farm, const struct policy_request *request, uint32_t *ret)
{
	uint64_t hash;
	bool hashed = is_hashed(farm, request->client, &hash);

	for (unsigned i = 0; hashed && i < SCORE_FIRSTS_MAX; i++) {
		struct index_entry *entry;
		uint32_t position;
		int r = ring_find(store, ring_mix(hash, i), &position);

		if (r < 0)
			return r;
		if (position == NONE)
			break;
		r = index_get(store, farm, position, &entry);
		if (r < 0)
			return r;
		if (policy_takes(entry, request)) {
			*ret = position;
			return 0;
		}
	}
	return policy_fastest.choose(store, farm, request, ret);
}

static int firsts(struct store *store, const struct farm *farm, const char *client,
		  uint32_t ret[static SCORE_FIRSTS_MAX], unsigned *ret_n)
{
	uint64_t hash;
	bool hashed = is_hashed(farm, client, &hash);
	int r = 0;

	for (*ret_n = 0; r == 0 && hashed && *ret_n < SCORE_FIRSTS_MAX; ++*ret_n) {
		r = ring_find(store, ring_mix(hash, *ret_n), &ret[*ret_n]);
		if (r == 0 && ret[*ret_n] == NONE)
			break;
	}
	return r;
}

static bool is_ready(const struct farm *farm, const struct score_arrival *arrival)
{
	(void)arrival;
	return farm->ring == RING_THERE || ring_is_coming(farm);
}

static int make_ready(struct store *store, struct farm *farm, const struct score_arrival *arrival)
{
	(void)arrival;
	farm->ring = RING_THERE;
	return ring_build(store, farm);
}

static int compare(const struct score_candidate *a, const struct score_candidate *b)
{
	int r = compare_more(b->first, a->first);

	return r ? r : policy_fastest.compare(a, b);
}

static const char *why_behind(const struct score_candidate *node, const struct score_candidate *chosen)
{
	(void)chosen;
	return node->first < SCORE_FIRSTS_MAX ? "a later node of the address" : "the address belongs to other nodes";
}

const struct policy policy_hash = {
	.name = "hash",
	.rule = "the node to which the client's address belongs; while that is full or takes no connections, the next "
		"node of the address; then as fastest",
	.by_client = true,
	.choose = choose, .firsts = firsts, .is_ready = is_ready, .make_ready = make_ready, .compare = compare, .why_behind = why_behind,
};
