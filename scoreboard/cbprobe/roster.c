/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * roster.c: lists and resolves. All memory of a pass is allocated here or at the
 * beginning of pass.c's work.
 *
 * A thread resolves all names at the same time, so that a name server that does
 * not answer holds up only the nodes with its names. The thread does nothing else:
 * it fills in requests, which no other thread looks at meanwhile, and says when it
 * is done.
 *
 * A name that does not exist is the node's failure. It counts, and is tried again,
 * like a failure of a check. A name that could not be resolved (no name server
 * answers, time ran out) is not the node's failure: the node keeps its addresses,
 * as it is better to probe those than to lose a farm to a name server's restart.
 */

#include "roster.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "quit.h"
#include "system/grow.h"
#include "system/resolve.h"
#include "system/say.h"
#include "system/timespan.h"

/* Time for the names: enough for a lost first query of the resolver, and some more for each name. */
#define RESOLVE_BASE_USEC (6 * USEC_PER_SEC)
#define RESOLVE_NAME_USEC (10 * USEC_PER_MSEC)

struct names {
	struct resolve_request *requests;
	struct probe **owners;
	size_t n;
	uint64_t delay_usec;     /* before they are asked for */
	pthread_t thread;
	bool running;
	int result;              /* of resolve_all() */
	int event_fd;
};

/* What the walk over the nodes works on. */
struct listing {
	struct score *score;
	struct roster *roster;
};

static struct probe *roster_add(struct roster *roster)
{
	if (GROW(roster->probes, roster->n, roster->room) < 0)
		return NULL;
	roster->probes[roster->n] = (struct probe){ .fd = -1 };
	return &roster->probes[roster->n++];
}

static struct names *names_free(struct names *names)
{
	if (!names)
		return NULL;
	if (names->running)
		(void)pthread_join(names->thread, NULL);
	if (names->event_fd >= 0)
		(void)close(names->event_fd);
	free(names->requests);
	free(names->owners);
	free(names);
	return NULL;
}

void roster_clear(struct roster *roster)
{
	roster->names = names_free(roster->names);
	for (size_t i = 0; i < roster->n; i++) {
		struct probe *probe = &roster->probes[i];

		free(probe->name);
		free(probe->host);
		free(probe->addresses);
	}
	free(roster->probes);
	checkups_clear(&roster->checkups);
	*roster = (struct roster){ 0 };
}

static int keep_addresses(struct probe *probe, const struct score_address *addresses, unsigned n)
{
	struct score_address *kept = reallocarray(NULL, n > 0 ? n : 1, sizeof(*kept));

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
		    memcmp(&probe->addresses[i].in6, &address->in6, address->size) == 0)
			return true;
	return false;
}

/* Sets the node's addresses, in the scoreboard too if they are different. Another order makes no difference: name
 * servers rotate their answers, and to follow that would gain nothing. */
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
	probe->moved = true;
	return keep_addresses(probe, addresses, n);
}

static int add_node(const struct score_node *node, void *arg)
{
	const struct listing *listing = arg;
	const struct checkup *checkup;
	struct score_address address;
	struct probe *probe;
	int r;

	if (node->state == NODE_DRAINING)
		return 0;
	checkup = checkups_get(&listing->roster->checkups, node->config.check);
	if (!checkup)
		return -ENOMEM;
	if (!checkup->check)
		return 0;
	probe = roster_add(listing->roster);
	if (!probe)
		return -ENOMEM;
	probe->id = node->id;
	probe->port = node->config.port;
	probe->proxy = node->config.check_proxy;
	probe->checkup = checkup;
	listing->roster->n_talking += checkup->check->talks || checkup_works(checkup);
	probe->down = node->flags & BN_DOWN;
	probe->unresolved = probe->down && node->reason == REASON_UNRESOLVED;
	probe->name = strdup(node->config.name);
	r = probe->name ? keep_addresses(probe, node->addresses, node->n_addresses) : -ENOMEM;
	if (r < 0)
		return r;
	/* A numeric address changes only with the number of its %scope. */
	if (resolve_numeric(node->config.host, node->config.port, &address)) {
		r = set_addresses(listing->score, probe, &address, 1);
		probe->moved = false;
		return r;
	}
	probe->host = strdup(node->config.host);
	probe->naming = true;
	return probe->host ? 0 : -ENOMEM;
}

/* The name resolves. */
static int settle_resolved(struct score *score, struct probe *probe, const struct resolve_request *request)
{
	const struct verdict_rules at_once = { .rise = 1, .fall = 1 };
	int r = set_addresses(score, probe, request->addresses, request->n_addresses);

	/* No check of the node would ever put it up again. */
	if (r == 0 && probe->unresolved && !probe->checkup->check->start)
		r = verdict_success(score, &at_once, probe);
	return r;
}

/* The name does not resolve. 1 if it is to be tried again, else 0 or -errno. */
static int settle_unresolved(struct score *score, const struct settings *settings, struct probe *probe,
			     const struct resolve_request *request)
{
	bool final = resolve_is_final(request->error);
	int r;

	if (!final && probe->n_addresses > 0) {
		if (settings_are_verbose(settings, score))
			say(LOG_DEBUG, "%s: %s, using the addresses known before", probe->name,
			    gai_strerror(request->error));
		return 0;
	}
	if (settings_are_verbose(settings, score))
		say(LOG_DEBUG, "%s: %s", probe->name, gai_strerror(request->error));
	r = verdict_failure(score, &settings->rules, probe, REASON_UNRESOLVED,
			    final ? NULL : gai_strerror(request->error));
	if (r < 0)
		return r;
	probe->failures++;
	if (!probe->down && verdict_wants_more(&settings->rules, probe))
		return 1;
	/* The addresses may be another machine's by now: they are forgotten when the node goes down, and not
	 * probed until --fall decides that. */
	if (probe->down)
		return set_addresses(score, probe, NULL, 0);
	probe->moved = true;
	probe->n_addresses = 0;
	return 0;
}

static void ask(struct names *names)
{
	const struct timespec delay = {
		.tv_sec = (time_t)(names->delay_usec / USEC_PER_SEC),
		.tv_nsec = (long)(names->delay_usec % USEC_PER_SEC * 1000),
	};
	const uint64_t done = 1;

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL);
	names->result = resolve_all(names->requests, names->n, RESOLVE_BASE_USEC + names->n * RESOLVE_NAME_USEC);
	(void)!write(names->event_fd, &done, sizeof(done));
}

static void *asker(void *arg)
{
	ask(arg);
	return NULL;
}

/* Resolves in a thread, to which no signal is ever delivered; or in this thread, if no other can be made. */
static void begin_asking(struct names *names)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	names->running = pthread_create(&names->thread, NULL, asker, names) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (names->running)
		return;
	quit_allow();
	ask(names);
	quit_deny();
}

static int names_new(struct roster *roster, size_t n, struct names **ret)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	names->requests = calloc(n, sizeof(*names->requests));
	names->owners = calloc(n, sizeof(struct probe *));
	if (names->event_fd < 0 || !names->requests || !names->owners) {
		int r = names->event_fd < 0 ? -errno : -ENOMEM;

		(void)names_free(names);
		return r;
	}
	for (size_t i = 0; i < roster->n; i++) {
		struct probe *probe = &roster->probes[i];

		if (!probe->naming)
			continue;
		names->owners[names->n] = probe;
		names->requests[names->n].host = probe->host;
		names->requests[names->n++].port = probe->port;
	}
	*ret = names;
	return 0;
}

int roster_ask(struct roster *roster, int *ret_fd)
{
	size_t n = 0;
	int r;

	for (size_t i = 0; i < roster->n; i++)
		n += roster->probes[i].naming;
	*ret_fd = -1;
	if (n == 0)
		return 0;
	r = names_new(roster, n, &roster->names);
	if (r < 0)
		return r;
	*ret_fd = roster->names->event_fd;
	begin_asking(roster->names);
	return 0;
}

int roster_answer(struct roster *roster, struct score *score, const struct settings *settings,
		  void (*answered)(struct probe *probe, void *arg), void *arg)
{
	struct names *names = roster->names;
	size_t again = 0;
	uint64_t times;

	if (read(names->event_fd, &times, sizeof(times)) != sizeof(times))
		return 0;
	if (names->running)
		(void)pthread_join(names->thread, NULL);
	names->running = false;
	if (names->result < 0)
		return names->result;
	for (size_t i = 0; i < names->n; i++) {
		struct resolve_request *request = &names->requests[i];
		struct probe *probe = names->owners[i];
		int r = request->n_addresses > 0 ? settle_resolved(score, probe, request)
						 : settle_unresolved(score, settings, probe, request);

		if (r < 0)
			return r;
		probe->naming = request->n_addresses == 0 && r > 0;
		answered(probe, arg);
		if (probe->naming) {
			names->requests[again] = *request;
			names->owners[again++] = probe;
		}
	}
	names->n = again;
	names->delay_usec = RETRY_USEC;
	if (again > 0)
		begin_asking(names);
	return 0;
}

int roster_load(struct score *score, struct roster *ret)
{
	struct listing listing = { .score = score, .roster = ret };

	*ret = (struct roster){ 0 };
	return score_each_node(score, add_node, &listing);
}
