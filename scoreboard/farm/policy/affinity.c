/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * affinity.c: the node that the client's address used last, as Pen chooses. If
 * that node takes no connection now, or is not known, the connection goes where
 * fastest sends it; that node is the client's from then on.
 */

#include <errno.h>

#include "policy.h"
#include "records/memory.h"
#include "records/node.h"

static int choose(struct store *store, struct farm *farm, const struct policy_request *request, uint32_t *ret)
{
	struct node_record *record;
	struct index_entry *entry;
	uint32_t node;
	int r;

	r = memory_find(store, farm, request->client, policy_address_length(request->client), &node) ?:
	    node_find(store, node, &record) ?:
	    index_get(store, farm, record->position, &entry);
	if (r == 0 && entry->id == node && policy_takes(entry, request)) {
		*ret = record->position;
		return 0;
	}
	return r < 0 && r != -ENOENT ? r : policy_fastest.choose(store, farm, request, ret);
}

static void told(struct store *store, struct farm *farm, const struct score_arrival *arrival)
{
	if (arrival->forget_sec == 0 || arrival->forget_sec == farm->forget_sec)
		return;
	farm->forget_sec = arrival->forget_sec;
	store_touch(store, &farm->forget_sec, sizeof(farm->forget_sec));
}

static int took(struct store *store, const struct farm *farm, const char *client, uint32_t node)
{
	return memory_note(store, farm, client, policy_address_length(client), node);
}

static bool is_ready(const struct farm *farm, const struct score_arrival *arrival)
{
	return farm->clients >= arrival->clients;
}

static int make_ready(struct store *store, struct farm *farm, const struct score_arrival *arrival)
{
	return memory_grow(store, farm, arrival->clients);
}

static int compare(const struct score_candidate *a, const struct score_candidate *b)
{
	return policy_fastest.compare(a, b);
}

static const char *why_behind(const struct score_candidate *node, const struct score_candidate *chosen)
{
	const char *why = policy_fastest.why_behind(node, chosen);

	return policy_fastest.compare(node, chosen) < 0 ? "the client used another node last" : why;
}

const struct policy policy_affinity = {
	.name = "affinity",
	.rule = "the node that a client of this address used last; if that is full or takes no connections, or if none is "
		"known, as fastest",
	.by_client = true,
	.told = told, .choose = choose, .took = took, .is_ready = is_ready, .make_ready = make_ready, .compare = compare,
	.why_behind = why_behind,
};
