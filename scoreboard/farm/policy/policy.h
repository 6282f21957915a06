/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * policy.h: what a policy is: how it chooses a node for a connection, and how
 * it explains the choice.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "records/farm.h"
#include "records/index.h"
#include "types.h"

/* What is asked of a policy. */
struct policy_request {
	bool primary;          /* a node that is no backup has a free slot, and only such nodes are looked at */
	const char *client;    /* address and port of the connection's client, or empty */
};

struct policy {
	const char *name;
	const char *rule;      /* what it prefers, as a phrase of explain */
	bool by_client;        /* it looks at the client, so a connection is accepted before its node is chosen */

	/* NULL, or: takes over, into the farm's record, what a connection that comes says of the policy. Staged with the
	 * connection's own change only. */
	void (*told)(struct store *store, struct farm *farm, const struct score_arrival *arrival);

	/*
	 * In a section: the position of the node for the next connection. Some node has a free slot. Changes are staged.
	 * 0, 1 if there is none, or -errno.
	 */
	int (*choose)(struct store *store, struct farm *farm, const struct policy_request *request, uint32_t *ret);

	/* NULL, or, for explain: the positions that choose looks at first, in their order, at most SCORE_FIRSTS_MAX; a
	 * position may be there twice. 0, with *ret_n, or -errno. */
	int (*firsts)(struct store *store, const struct farm *farm, const char *client,
		      uint32_t ret[static SCORE_FIRSTS_MAX], unsigned *ret_n);

	/* NULL, or: notes that the client has got a slot of the node. Staged only. 0 or -errno. */
	int (*took)(struct store *store, const struct farm *farm, const char *client, uint32_t node);

	/*
	 * A policy that keeps records of its own has these two, others NULL. Whether the records are there, in a
	 * section; and makes them, in a transaction, on a copy of the farm's record that the caller writes: 0 or -errno.
	 * As long as they are not there, choose does without.
	 */
	bool (*is_ready)(const struct farm *farm, const struct score_arrival *arrival);
	int (*make_ready)(struct store *store, struct farm *farm, const struct score_arrival *arrival);

	/* For explain: below 0 if a comes before b, above 0 if b does, 0 if the order of the list decides. */
	int (*compare)(const struct score_candidate *a, const struct score_candidate *b);

	/* For explain: why a node that could be used comes behind the chosen node. */
	const char *(*why_behind)(const struct score_candidate *node, const struct score_candidate *chosen);
};

/* policy_fastest and all others. */
#define POLICY_DECLARE(NAME, name) extern const struct policy policy_##name;
POLICIES(POLICY_DECLARE)

/* The policy of that number; fastest if there is none such. Never NULL. */
const struct policy *policy_get(enum score_policy policy);

/* Whether the node of the entry can be chosen. */
bool policy_takes(const struct index_entry *entry, const struct policy_request *request);

/* How many bytes of "address:port" are the address. */
size_t policy_address_length(const char *client);

/* A speed in thousandths, and a share of free cores where 2^31 is all of them, both as the index has them. */
uint64_t candidate_speed(const struct score_candidate *candidate);
uint64_t candidate_share(const struct score_candidate *candidate);

/* Below 0 if a is more than b, above 0 if it is less. */
int compare_more(uint64_t a, uint64_t b);
