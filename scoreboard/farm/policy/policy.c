/* SPDX-License-Identifier: GPL-3.0-or-later */

/* policy.c: the table of policies, and what several of them compare. */

#include "policy.h"

#include <stddef.h>
#include <string.h>

#define POLICY_ROW(NAME, name) [POLICY_##NAME] = &policy_##name,
static const struct policy *const policies[POLICY_MAX_] = { POLICIES(POLICY_ROW) };

const struct policy *policy_get(enum score_policy policy)
{
	return policies[policy >= 0 && policy < POLICY_MAX_ ? policy : POLICY_FASTEST];
}

const char *policy_to_string(enum score_policy policy)
{
	return policy >= 0 && policy < POLICY_MAX_ ? policies[policy]->name : NULL;
}

enum score_policy policy_from_string(const char *name)
{
	for (enum score_policy policy = 0; policy < POLICY_MAX_; policy++)
		if (strcmp(policies[policy]->name, name) == 0)
			return policy;
	return POLICY_INVALID_;
}

const char *policy_word(const void *words, size_t i)
{
	(void)words;
	return i < POLICY_MAX_ ? policies[i]->name : NULL;
}

const char *policy_rule(enum score_policy policy)
{
	return policy_get(policy)->rule;
}

int policy_compare(enum score_policy policy, const struct score_candidate *a, const struct score_candidate *b)
{
	int r = policy_get(policy)->compare(a, b);

	return r ? r : (a->position > b->position) - (a->position < b->position);
}

const char *policy_why_behind(enum score_policy policy, const struct score_candidate *node,
			      const struct score_candidate *chosen)
{
	const char *why = policy_get(policy)->why_behind(node, chosen);

	return why ? why : "as good, later in the list";
}

bool policy_is_by_client(enum score_policy policy)
{
	return policy_get(policy)->by_client;
}

bool policy_takes(const struct index_entry *entry, const struct policy_request *request)
{
	return index_entry_free(entry) > 0 && !(request->primary && entry->flags & ENTRY_BACKUP);
}

size_t policy_address_length(const char *client)
{
	const char *colon = strrchr(client, ':');

	return colon ? (size_t)(colon - client) : strlen(client);
}

uint64_t candidate_speed(const struct score_candidate *candidate)
{
	return (uint64_t)(candidate->node->speed * 1000 + 0.5);
}

uint64_t candidate_share(const struct score_candidate *candidate)
{
	return ((uint64_t)candidate->node->free << 31) / candidate->node->config.cores;
}

int compare_more(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}
