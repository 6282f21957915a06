/* SPDX-License-Identifier: GPL-3.0-or-later */

/* site.c: what a gateway's machine does, with all that may befall it. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site.h"
#include "world.h"

#define READS_USEC 200000u

struct site sites[SITES_MAX];
unsigned n_sites, n_nodes;
uint32_t cores_of[NODES_MAX];
char names_of[NODES_MAX][16];
unsigned site_faults;
uint64_t events_told[GATEWAY_EVENT_MAX_];
bool calm_weather;
uint64_t sites_margin_usec;
bool sites_fence;

/* ---- the clock ---- */

uint64_t site_clock(const struct site *site)
{
	return site->offset + ((world_now() * site->rate) >> 20);
}

uint64_t site_when(const struct site *site, uint64_t clock_usec)
{
	return clock_usec <= site->offset ? 0 : (((clock_usec - site->offset) << 20) / site->rate) + 1;
}

bool site_has_lease(const struct site *site)
{
	return site_clock(site) < site->lease_usec;
}

/* ---- connections ---- */

/* The node's connections changed: those before may be there for a while longer, for the node. */
static void set_busy(struct node_at_site *node, uint32_t busy)
{
	unsigned i, kept = 0;

	/* Peaks that are over, and lower ones that a higher one covers, count no more. */
	for (i = 0; i < node->n_peaks; i++)
		if (node->peaks[i].usec + REST_USEC > world_now() && node->peaks[i].busy > busy)
			node->peaks[kept++] = node->peaks[i];
	node->n_peaks = kept;
	if (node->busy > busy) {
		for (i = 0; i < node->n_peaks && node->peaks[i].busy > node->busy; i++)
			;
		if (i == PEAKS_MAX)
			abort();
		node->peaks[i] = (struct peak){ .usec = world_now(), .busy = node->busy };
		node->n_peaks = i + 1;
	}
	node->busy = busy;
}

uint32_t site_peak(const struct site *site, unsigned node)
{
	const struct node_at_site *n = &site->nodes[node];
	uint32_t most = n->busy;
	unsigned i;

	for (i = 0; i < n->n_peaks; i++)
		if (n->peaks[i].usec + REST_USEC > world_now() && n->peaks[i].busy > most)
			most = n->peaks[i].busy;
	return most;
}

static void dispatch(struct site *site);

static void come(struct site *site)
{
	if (site->n_waiters < CONNECTIONS_MAX)
		site->waiters[site->n_waiters++] = world_now();
}

static void come_again(void *context, uint64_t word)
{
	struct site *site = context;
	unsigned i, there = site->n_waiters;

	(void)word;
	for (i = 0; i < CONNECTIONS_MAX; i++)
		there += site->connections[i].open;
	if (there < site->clients)
		come(site);
	dispatch(site);
}

/* A node that no list has goes with its last connection. If it comes again it is new, without a share or a history. */
static void go(struct node_at_site *node)
{
	if (!node->listed && node->busy == 0)
		node->ended = node->share = 0;
}

static void close_connection(struct site *site, struct connection *connection)
{
	struct node_at_site *node = &site->nodes[connection->node];

	connection->open = false;
	set_busy(node, node->busy - 1);
	node->ended++;
	go(node);
}

static void end_connection(void *context, uint64_t number)
{
	struct site *site = context;
	unsigned i;

	for (i = 0; i < CONNECTIONS_MAX; i++)
		if (site->connections[i].open && site->connections[i].number == number)
			close_connection(site, &site->connections[i]);
	world_at(world_now() + chance(3000), come_again, site, 0);
	dispatch(site);
}

static void open_connection(struct site *site, unsigned node)
{
	unsigned i;

	for (i = 0; i < CONNECTIONS_MAX && site->connections[i].open; i++)
		;
	if (i == CONNECTIONS_MAX)
		abort();
	memmove(site->waiters, site->waiters + 1, --site->n_waiters * sizeof(site->waiters[0]));
	site->connections[i] = (struct connection){ .open = true, .node = node, .number = ++site->numbers };
	set_busy(&site->nodes[node], site->nodes[node].busy + 1);
	world_at(world_now() + 1000 + chance(site->job_usec), end_connection, site, site->numbers);
}

static bool may_have(const struct node_at_site *node)
{
	return node->listed && node->usable && !node->spare && node->busy < node->share && node->busy < node->cores;
}

/* As the scoreboard does: waiters get slots while there is a lease. */
static void dispatch(struct site *site)
{
	unsigned first = (unsigned)chance(n_nodes), i;

	if (!site_has_lease(site) && !(site_faults & SITE_NO_LEASE))
		return;
	for (i = 0; i < n_nodes; i++) {
		unsigned node = (first + i) % n_nodes;

		while (site->n_waiters > 0 && may_have(&site->nodes[node]))
			open_connection(site, node);
	}
}

void site_list(struct site *site, unsigned node, uint32_t cores)
{
	struct node_at_site *n = &site->nodes[node];

	note("%s: the list has %u cores of %s", site->name, cores, names_of[node]);
	n->listed = cores > 0;
	if (cores > 0)
		n->cores = cores;
	go(n);
}

void site_demand(struct site *site, unsigned clients, uint64_t job_usec)
{
	unsigned i;

	site->clients = clients;
	site->job_usec = job_usec;
	for (i = 0; i < clients; i++)
		world_at(world_now() + chance(20000), come_again, site, 0);
}

static void close_all(struct site *site)
{
	unsigned i;

	for (i = 0; i < CONNECTIONS_MAX; i++)
		if (site->connections[i].open)
			close_connection(site, &site->connections[i]);
	for (i = 0; i < site->clients; i++)
		world_at(world_now() + chance(20000), come_again, site, 0);
}

/* One of the three hands, within the margin, less what a lost packet takes. */
static void fence(void *context, uint64_t lease_usec)
{
	struct site *site = context;

	if (site->lease_usec == lease_usec && !(site_faults & SITE_NO_FENCE))
		close_all(site);
}

/* ---- the process's surroundings ---- */

/* A process loses the processor, or dies, at any call. One that dies does nothing more. */
static bool befall(struct site *site)
{
	static bool away;

	if (calm_weather || away || site->dying)
		return site->dying;
	if (once_in(20000)) {
		note("%s dies within a turn", site->name);
		site->dying = true;
	} else if (once_in(400)) {
		away = true;
		world_run(world_now() + (once_in(20) ? chance(6000000) : chance(20000)));
		away = false;
	}
	return site->dying;
}

static int farm_look(void *context, struct gateway_look *ret)
{
	static struct gateway_node nodes[NODES_MAX];
	struct site *site = context;
	unsigned i, n = 0;

	(void)befall(site);
	for (i = 0; i < n_nodes; i++) {
		const struct node_at_site *node = &site->nodes[i];
		uint32_t busy = node->busy;

		if (!node->listed && busy == 0)
			continue;

		if ((site_faults & SITE_HIDES_BUSY) && busy > node->share)
			busy = node->share;
		nodes[n++] = (struct gateway_node){ .name = names_of[i], .id = i, .cores = node->cores, .share = node->share,
						    .busy = busy, .usable = node->usable && !node->spare, .spare = node->spare,
						    .held = !node->usable && node->held,
						    .leaving = !node->listed,
						    .ended = (site_faults & SITE_HIDES_ENDS) ? 0 : node->ended };
	}
	*ret = (struct gateway_look){ .nodes = nodes, .n_nodes = n, .waiting = site->n_waiters,
				      .lease_usec = site->lease_usec,
				      .age_usec = site->n_waiters > 0 ? world_now() - site->waiters[0] + 1 : 0 };
	return 0;
}

static int farm_set_share(void *context, uint32_t id, uint32_t share, uint32_t *ret_busy)
{
	struct site *site = context;

	*ret_busy = site->nodes[id].busy;
	if (befall(site))
		return 0;
	if (!site->nodes[id].listed && site->nodes[id].busy == 0)
		return -ENOENT;
	note("%s limits %s to %u, busy %u", site->name, names_of[id], share, site->nodes[id].busy);
	site->nodes[id].share = share;
	*ret_busy = site->nodes[id].busy;
	if ((site_faults & SITE_HIDES_BUSY) && *ret_busy > share)
		*ret_busy = share;
	dispatch(site);
	return 0;
}

static int farm_set_lease(void *context, uint64_t until_usec)
{
	struct site *site = context;

	if (befall(site))
		return 0;
	site->lease_usec = until_usec;
	world_at(site_when(site, until_usec) + chance(sites_margin_usec - REST_USEC - 100000), fence, site, until_usec);
	dispatch(site);
	return 0;
}

static void told(void *context, const struct gateway_event *event)
{
	struct site *site = context;

	events_told[event->kind]++;
	if (event->nodes > 0 && !event->node)
		broken("told: %s: %s names none of %zu nodes", site->name, gateway_event_word(event->kind), event->nodes);
	if (event->kind == GATEWAY_JOINED && site->joined)
		broken("told: %s has joined twice", site->name);
	site->joined |= event->kind == GATEWAY_JOINED;
	note("%s %s %s: %" PRIu64 " slots", site->name, gateway_event_word(event->kind), event->peer ? event->peer : "-",
	     event->slots);
}

/* ---- the fence ---- */

static void end_fence(void *context, uint64_t fenced)
{
	struct site *site = context;

	if (site->gateway)
		gateway_fenced(site->gateway, sites[fenced].name);
}

/* The fence of one machine works against another. */
static void begin_fence(void *context, const char *peer)
{
	struct site *site = context;
	unsigned i;

	note("%s fences %s", site->name, peer);
	for (i = 0; i < n_sites; i++) {
		if (strcmp(sites[i].name, peer) != 0)
			continue;
		if (sites[i].gateway && !sites[i].stopped && !sites[i].way.cut)
			broken("fence: %s fences %s, which is well", site->name, peer);
		close_all(&sites[i]);
		world_at(world_now() + 1 + chance(1000000), end_fence, site, i);
	}
}

/* ---- the process ---- */

static void turn(void *context, uint64_t number)
{
	struct site *site = context;
	uint64_t clock = site_clock(site), next = 0;
	struct client *client = site->client;

	if (!site->gateway || site->turn_number != number)
		return;
	if (site->in_turn || (site->stopped && world_now() < site->stopped_usec)) {
		world_at(site->in_turn ? world_now() + 500 : site->stopped_usec, turn, site, number);
		return;
	}
	if (site->stopped && once_in(2))
		site->reads_usec = world_now() + chance(READS_USEC);
	site->stopped = false;
	if (world_now() < site->reads_usec) {
		world_at(site->reads_usec, turn, site, number);
		return;
	}
	site->in_turn = true;
	/* The time is old when the turn comes to use it. */
	(void)befall(site);
	if (gateway_turn(site->gateway, clock, &next) != 0)
		broken("%s: a turn fails", site->name);
	site->in_turn = false;
	if (site->dying)
		site_kill(site);
	if (site->gateway && site->client == client && !gateway_has_left(site->gateway))
		world_at(site_when(site, next), turn, site, ++site->turn_number);
}

static bool runs(unsigned index)
{
	struct site *site = &sites[index];

	return site->gateway && !site->in_turn && !(site->stopped && world_now() < site->stopped_usec);
}

static void ran(unsigned index)
{
	struct site *site = &sites[index];

	if (site->gateway)
		world_at(world_now() + chance(300), turn, site, ++site->turn_number);
}

/* A client of the store whose process may be gone while its requests are under way. */
static int cut_read(struct engine *engine, const char *prefix, engine_read_done *done, void *context);
static int cut_commit(struct engine *engine, const struct engine_compare *compares, size_t n_compares,
		      const struct engine_put *puts, size_t n_puts, engine_commit_done *done, void *context);
static int cut_watch(struct engine *engine, const char *prefix, uint64_t after, engine_changed *changed, engine_lost *lost,
		     void *context);

/* The core's engine is this; what a process that is dying asks is not sent. */
struct mortal {
	struct engine engine;
	struct site *site;
};

static struct mortal mortals[SITES_MAX];

static int cut_read(struct engine *engine, const char *prefix, engine_read_done *done, void *context)
{
	struct site *site = ((struct mortal *)engine)->site;

	return befall(site) ? -EPIPE : site->client->engine.calls->read(&site->client->engine, prefix, done, context);
}

static int cut_commit(struct engine *engine, const struct engine_compare *compares, size_t n_compares,
		      const struct engine_put *puts, size_t n_puts, engine_commit_done *done, void *context)
{
	struct site *site = ((struct mortal *)engine)->site;
	size_t i;

	if (befall(site))
		return -EPIPE;
	for (i = 0; i < n_puts; i++)
		if (puts[i].value && strstr(puts[i].key, "n/"))
			note("%s asks for %s = %s", site->name, puts[i].key, puts[i].value);
	return site->client->engine.calls->commit(&site->client->engine, compares, n_compares, puts, n_puts, done, context);
}

static int cut_watch(struct engine *engine, const char *prefix, uint64_t after, engine_changed *changed, engine_lost *lost,
		     void *context)
{
	struct site *site = ((struct mortal *)engine)->site;

	return befall(site) ? -EPIPE :
			      site->client->engine.calls->watch(&site->client->engine, prefix, after, changed, lost, context);
}

void site_start(struct site *site)
{
	char boot[32];
	static const struct engine_calls calls = { .read = cut_read, .commit = cut_commit, .watch = cut_watch };
	struct gateway_farm farm = { .context = site, .look = farm_look, .set_share = farm_set_share,
				     .set_lease = farm_set_lease };
	struct gateway_hooks hooks = { .context = site, .told = told, .fence = sites_fence ? begin_fence : NULL };
	struct gateway_settings settings = { .prefix = "/corebalance/farm/", .name = site->name, .identity = site->identity,
					     .boot = boot, .lease_usec = site->lease_length_usec,
					     .margin_usec = sites_margin_usec };

	if (site->gateway)
		return;
	(void)snprintf(boot, sizeof(boot), "%u of %u", site->boots, site->index);
	note("%s starts", site->name);
	site->client = store_client(site->index, &site->way, runs, ran);
	mortals[site->index] = (struct mortal){ .engine = { &calls }, .site = site };
	site->dying = site->stopped = site->joined = false;
	site->reads_usec = 0;
	if (gateway_new(&settings, &mortals[site->index].engine, &farm, &hooks, &site->gateway) != 0)
		broken("no gateway");
	world_at(world_now(), turn, site, ++site->turn_number);
}

void site_kill(struct site *site)
{
	if (!site->gateway)
		return;
	if (site->in_turn) {
		site->dying = true;
		return;
	}
	note("%s is killed", site->name);
	site->client->engine.calls->close(&site->client->engine);
	gateway_free(site->gateway);
	site->gateway = NULL;
}

void site_stop(struct site *site, uint64_t usec)
{
	note("%s stops for %" PRIu64 " us", site->name, usec);
	site->stopped = true;
	site->stopped_usec = world_now() + usec;
}

void site_crash(struct site *site)
{
	unsigned i;

	site_kill(site);
	note("%s crashes", site->name);
	close_all(site);
	site->lease_usec = 0;
	site->boots++;
	for (i = 0; i < n_nodes; i++)
		site->nodes[i].share = site->nodes[i].listed ? UINT32_MAX : 0;
}

void site_begin(struct site *site, unsigned index, uint64_t offset, uint64_t rate)
{
	unsigned i;

	*site = (struct site){ .index = index, .offset = offset, .rate = rate, .job_usec = 100000,
			       .lease_length_usec = LEASE_USEC };
	(void)snprintf(site->name, sizeof(site->name), "gw%u", index + 1);
	(void)snprintf(site->identity, sizeof(site->identity), "machine%u", index + 1);
	for (i = 0; i < n_nodes; i++)
		site->nodes[i] = (struct node_at_site){ .listed = true, .usable = true, .cores = cores_of[i], .share = UINT32_MAX };
}

void site_end(struct site *site)
{
	site->clients = 0;
	site_kill(site);
}
