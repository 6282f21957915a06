/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * roster.c: lists and resolves. All of a pass's memory is allocated here or in
 * pass.c's beginning.
 *
 * That a name does not exist is the node's failure: it counts, and is tried
 * again, like one of a check. That nobody could tell (no name server answers,
 * time ran out) is not: the node keeps the addresses that it has, for it is
 * better to probe those than to lose a farm to a name server's restart.
 */

#include "roster.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "quit.h"
#include "resolve.h"
#include "say.h"
#include "timespan.h"

/* Time for the names: enough for a resolver's first query to go unanswered, and some for each. */
#define RESOLVE_BASE_USEC (6 * USEC_PER_SEC)
#define RESOLVE_NAME_USEC (10 * USEC_PER_MSEC)

/* What the walk over the nodes and the settling of names work on. */
struct listing {
	struct score *score;
	const struct pass_options *options;
	struct roster *roster;
};

static struct probe *roster_add(struct roster *roster)
{
	if (roster->n == roster->room) {
		size_t room = roster->room ? roster->room * 2 : 64;
		struct probe *probes = reallocarray(roster->probes, room, sizeof(*probes));

		if (!probes)
			return NULL;
		roster->probes = probes;
		roster->room = room;
	}
	roster->probes[roster->n] = (struct probe){ .fd = -1 };
	return &roster->probes[roster->n++];
}

void roster_clear(struct roster *roster)
{
	for (size_t i = 0; i < roster->n; i++) {
		struct probe *probe = &roster->probes[i];

		free(probe->name);
		free(probe->host);
		free(probe->addresses);
	}
	free(roster->probes);
	*roster = (struct roster){ 0 };
}

static int keep_addresses(struct probe *probe, const struct score_address *addresses, unsigned n)
{
	struct score_address *kept = reallocarray(NULL, n + 1, sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	if (n > 0)
		(void)memcpy(kept, addresses, n * sizeof(*kept));
	free(probe->addresses);
	probe->addresses = kept;
	probe->n_addresses = (uint8_t)n;
	return 0;
}

static bool has_address(const struct probe *probe, const struct score_address *address)
{
	for (unsigned i = 0; i < probe->n_addresses; i++)
		if (probe->addresses[i].size == address->size &&
		    memcmp(&probe->addresses[i].storage, &address->storage, address->size) == 0)
			return true;
	return false;
}

/* The node's addresses, in the scoreboard too if they are others. In another order they are the same: name
 * servers turn their answers round, and nothing would be gained by following. */
static int set_addresses(struct score *score, struct probe *probe, const struct score_address *addresses, unsigned n)
{
	bool same = n == probe->n_addresses;
	int r;

	for (unsigned i = 0; same && i < n; i++)
		same = has_address(probe, &addresses[i]);
	if (same)
		return 0;
	r = score_set_addresses(score, probe->id, addresses, n);
	if (r < 0 && r != -ENOENT)
		return r;
	return keep_addresses(probe, addresses, n);
}

static int add_node(const struct score_node *node, void *arg)
{
	const struct listing *listing = arg;
	const struct check *check = check_find(node->config.check);
	struct score_address address;
	struct probe *probe;
	int r;

	if (node->state == NODE_DRAINING)
		return 0;
	if (!check) {
		say(LOG_WARNING, "%s: check \"%s\": not known to this version, node left as it is",
		    node->config.name, node->config.check);
		return 0;
	}
	probe = roster_add(listing->roster);
	if (!probe)
		return -ENOMEM;
	probe->id = node->id;
	probe->port = node->config.port;
	probe->check = check;
	probe->down = node->flags & BN_DOWN;
	probe->unresolved = probe->down && node->reason == REASON_UNRESOLVED;
	probe->name = strdup(node->config.name);
	r = probe->name ? keep_addresses(probe, node->addresses, node->n_addresses) : -ENOMEM;
	if (r < 0)
		return r;
	/* The address of a node that has one by itself changes only with the number of its %scope. */
	if (resolve_numeric(node->config.host, node->config.port, &address))
		return set_addresses(listing->score, probe, &address, 1);
	probe->host = strdup(node->config.host);
	return probe->host ? 0 : -ENOMEM;
}

/* The name resolves. */
static int settle_resolved(const struct listing *listing, struct probe *probe, const struct resolve_request *request)
{
	const struct verdict_rules at_once = { .rise = 1, .fall = 1 };
	int r = set_addresses(listing->score, probe, request->addresses, request->n_addresses);

	/* A node that no check will ever put up again. */
	if (r == 0 && probe->unresolved && !probe->check->start)
		r = verdict_success(listing->score, &at_once, probe);
	return r;
}

/* The name does not resolve. 1 if it is to be tried once more, else 0 or -errno. */
static int settle_unresolved(const struct listing *listing, struct probe *probe, const struct resolve_request *request)
{
	const struct verdict_rules *rules = &listing->options->rules;
	bool final = resolve_is_final(request->error);
	int r;

	if (!final && probe->n_addresses > 0) {
		if (listing->options->verbose)
			say(LOG_DEBUG, "%s: %s, using the addresses known before", probe->name,
			    gai_strerror(request->error));
		return 0;
	}
	if (listing->options->verbose)
		say(LOG_DEBUG, "%s: %s", probe->name, gai_strerror(request->error));
	r = verdict_failure(listing->score, rules, probe, REASON_UNRESOLVED,
			    final ? NULL : gai_strerror(request->error));
	if (r < 0)
		return r;
	probe->failures++;
	if (!probe->down && verdict_wants_more(rules, probe))
		return 1;
	/* Its addresses may be somebody else's by now: they are forgotten with the node's being up, and until
	 * --fall decides that, not probed. */
	if (probe->down)
		return set_addresses(listing->score, probe, NULL, 0);
	probe->n_addresses = 0;
	return 0;
}

/* Acts upon the answers, and leaves in requests those to be tried once more. Their number, or -errno. */
static ssize_t settle(const struct listing *listing, struct resolve_request *requests, struct probe **owners, size_t n)
{
	size_t again = 0;

	for (size_t i = 0; i < n; i++) {
		int r = requests[i].n_addresses > 0 ? settle_resolved(listing, owners[i], &requests[i])
						    : settle_unresolved(listing, owners[i], &requests[i]);

		if (r < 0)
			return r;
		if (requests[i].n_addresses > 0 || r == 0)
			continue;
		requests[again] = requests[i];
		owners[again++] = owners[i];
	}
	return (ssize_t)again;
}

static void pause_before_retry(void)
{
	const struct timespec pause = { .tv_sec = PASS_RETRY_USEC / USEC_PER_SEC };

	quit_allow();
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	quit_deny();
}

static int resolve(const struct listing *listing, struct resolve_request *requests, struct probe **owners, size_t n)
{
	while (n > 0) {
		ssize_t again;
		int r;

		quit_allow();
		r = resolve_all(requests, n, RESOLVE_BASE_USEC + n * RESOLVE_NAME_USEC);
		quit_deny();
		if (r < 0)
			return r;
		again = settle(listing, requests, owners, n);
		if (again < 0)
			return (int)again;
		n = (size_t)again;
		if (n > 0)
			pause_before_retry();
	}
	return 0;
}

static int resolve_names(const struct listing *listing)
{
	struct roster *roster = listing->roster;
	struct resolve_request *requests;
	struct probe **owners;
	size_t n = 0;
	int r = -ENOMEM;

	for (size_t i = 0; i < roster->n; i++)
		n += roster->probes[i].host != NULL;
	requests = calloc(n + 1, sizeof(*requests));
	owners = calloc(n + 1, sizeof(struct probe *));
	n = 0;
	for (size_t i = 0; requests && owners && i < roster->n; i++) {
		struct probe *probe = &roster->probes[i];

		if (!probe->host)
			continue;
		owners[n] = probe;
		requests[n].host = probe->host;
		requests[n++].port = probe->port;
	}
	if (requests && owners)
		r = resolve(listing, requests, owners, n);
	free(requests);
	free(owners);
	return r;
}

int roster_load(struct score *score, const struct pass_options *options, struct roster *ret)
{
	struct listing listing = { .score = score, .options = options, .roster = ret };
	int r;

	*ret = (struct roster){ 0 };
	r = score_each_node(score, add_node, &listing);
	return r < 0 ? r : resolve_names(&listing);
}
