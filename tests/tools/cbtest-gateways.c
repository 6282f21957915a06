/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-gateways.c: the core of cbshare in a simulated world: several gateways, a few
 * nodes, an engine, and all that may go wrong between them.
 *
 *     cbtest-gateways [STEPS [SEED [FAULT]]]
 *     cbtest-gateways moves [SEED]
 *     cbtest-gateways names [SEED]
 *     cbtest-gateways shorter [SEED]
 *     cbtest-gateways outages [SEED]
 *     cbtest-gateways useless [SEED]
 *     cbtest-gateways shrunk [SEED]
 *     cbtest-gateways trial [SEED]
 *     cbtest-gateways held [SEED]
 *     cbtest-gateways unreachable [SEED]
 *     cbtest-gateways down [SEED]
 *     cbtest-gateways pauses [SEED]
 * After each step, which is anything that happens, all of these hold:
 *     cap      the connections of all gateways at a node, and those that ended so lately that the node may still have
 *              them, are no more than its cores
 *     sum      so are the shares in the engine; where a list gave the node fewer cores they do not become more
 *     limit    the limit of a gateway with a lease is no more than its share
 *     give     a share falls no lower than limit and connections of its gateway; unless
 *     reclaim  another gateway takes it: then the lease is over, and nothing is open
 *     lease    nothing is open once the lease and its margin are over
 * At the end of each world everything is repaired. Then all gateways are settled soon, no core is left over, all that
 * wait are served, and shares are as the targets say.
 *
 * FAULT is the name of something that the world then does wrong by intention: the program ends with status 1, if it is
 * any good.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cluster/site.h"
#include "../cluster/store.h"
#include "../cluster/world.h"
#include "cbshare/values.h"

static const struct fault {
	const char *name;
	unsigned store, site;
	uint64_t drift;              /* clocks differ by so many parts in a thousand */
} faults[] = {
	{ "none", 0, 0, 10 },
	{ "no-epoch", STORE_NO_EPOCH, 0, 10 },
	{ "no-heartbeat", STORE_NO_HEARTBEAT, 0, 10 },
	{ "no-compare", STORE_NO_NODES, 0, 10 },
	{ "refusal-unseen", STORE_LIES, 0, 10 },
	{ "give-early", 0, SITE_HIDES_BUSY, 10 },
	{ "no-rest", 0, SITE_HIDES_ENDS, 10 },
	{ "no-lease", 0, SITE_NO_LEASE, 10 },
	{ "no-fence", 0, SITE_NO_FENCE, 10 },
	{ "clocks", 0, 0, 400 },
};

static const struct fault *find_fault(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (strcmp(faults[i].name, name) == 0)
			return &faults[i];
	fprintf(stderr, "cbtest-gateways: no fault \"%s\"\n", name);
	exit(64);
}

/* ---- what must hold ---- */

static uint32_t shares[NODES_MAX][SITES_MAX];
static uint32_t most_cores[NODES_MAX]; /* that the engine ever had of a node */

static int read_share(void *context, const char *gateway, uint32_t share)
{
	uint32_t *of = context;
	unsigned i;

	for (i = 0; i < n_sites; i++)
		if (strcmp(sites[i].name, gateway) == 0)
			of[i] = share;
	return 0;
}

/* Returns the node's cores; 0: the engine does not have it. */
static uint32_t read_shares(unsigned node, uint32_t ret[SITES_MAX])
{
	uint32_t cores = 0;
	const char *value;
	char key[64];

	memset(ret, 0, SITES_MAX * sizeof(ret[0]));
	(void)snprintf(key, sizeof(key), "/corebalance/farm/n/%s", names_of[node]);
	value = store_value(key);
	if (value && shares_parse(value, &cores, read_share, NULL, ret) != 0)
		broken("%s: %s", key, value);
	if (cores > most_cores[node])
		most_cores[node] = cores;
	return cores;
}

static void share_fell(unsigned author, unsigned node, const struct site *site, uint32_t share)
{
	const struct node_at_site *n = &site->nodes[node];

	if (author != site->index) {
		if (site_has_lease(site) || n->busy > 0)
			broken("reclaim: %s takes %s of %s, which has %u connections and%s a lease", sites[author].name,
			       names_of[node], site->name, n->busy, site_has_lease(site) ? "" : " not");
	} else if (site_has_lease(site) && (share < n->busy || share < n->share)) {
		broken("give: %s gives of %s all but %u, of a limit of %u with %u connections", site->name, names_of[node],
		       share, n->share, n->busy);
	}
}

/* Whether a site before it has the same name, and so the same shares. */
static bool is_namesake(unsigned site)
{
	unsigned i;

	for (i = 0; i < site; i++)
		if (strcmp(sites[i].name, sites[site].name) == 0)
			return true;
	return false;
}

/* A commit was applied. */
static void applied(unsigned author)
{
	unsigned i, j;

	for (i = 0; i < n_nodes; i++) {
		uint32_t now[SITES_MAX], cores = read_shares(i, now), before = 0, sum = 0;

		for (j = 0; j < n_sites; j++) {
			before += is_namesake(j) ? 0 : shares[i][j];
			sum += is_namesake(j) ? 0 : now[j];
			if (now[j] < shares[i][j])
				share_fell(author, i, &sites[j], now[j]);
		}
		if (sum > cores && sum > before)
			broken("sum: %s has %u cores and shares of %u, which were %u", names_of[i], cores, sum, before);
		memcpy(shares[i], now, sizeof(now));
	}
}

static void check_site(const struct site *site)
{
	unsigned i;

	for (i = 0; i < n_nodes; i++) {
		if (site_has_lease(site) && site->nodes[i].share > shares[i][site->index])
			broken("limit: %s has a limit of %u at %s, and a share of %u", site->name, site->nodes[i].share,
			       names_of[i], shares[i][site->index]);
		if (site_clock(site) > site->lease_usec + MARGIN_USEC && site->nodes[i].busy > 0)
			broken("lease: %s has connections to %s", site->name, names_of[i]);
	}
}

static void check(void)
{
	unsigned i, j;

	for (i = 0; i < n_nodes; i++) {
		uint32_t sum = 0;

		for (j = 0; j < n_sites; j++)
			sum += site_peak(&sites[j], i);
		if (sum > most_cores[i])
			broken("cap: %s has %u cores and %u connections", names_of[i], most_cores[i], sum);
	}
	for (j = 0; j < n_sites; j++)
		check_site(&sites[j]);
}

/* ---- what befalls ---- */

static void start(void *context, uint64_t word)
{
	(void)word;
	site_start(context);
}

static void mend(void *context, uint64_t word)
{
	struct site *site = context;

	(void)word;
	site->way.cut = false;
}

static void cut(struct site *site, uint64_t usec)
{
	note("%s is cut off for %" PRIu64 " us", site->name, usec);
	site->way.cut = true;
	world_at(world_now() + usec, mend, site, 0);
}

/* The engine returns, as it was or as it was at an earlier time. Meanwhile all leases have ended. */
static void return_store(void *context, uint64_t word)
{
	bool back = once_in(2);
	unsigned i;

	(void)context;
	(void)word;
	if (!store_has_failed())
		return;
	note("the engine returns%s", back ? " as it was before" : "");
	store_return(back);
	for (i = 0; i < n_nodes && back; i++)
		(void)read_shares(i, shares[i]);
}

/* The node list changes at one gateway; the others may load it later, or something else. A node may be down, or a backup. */
static void change_list(struct site *site)
{
	unsigned node = (unsigned)chance(n_nodes), i;
	uint32_t cores = once_in(2) ? cores_of[node] : (uint32_t)chance(7);

	site_list(site, node, cores);
	for (i = 0; i < n_sites && once_in(2); i++)
		site_list(&sites[i], node, cores);
}

static void change_usable(struct site *site)
{
	unsigned node = (unsigned)chance(n_nodes);

	if (once_in(3))
		site->nodes[node].spare = !site->nodes[node].spare;
	else
		site->nodes[node].usable = !site->nodes[node].usable;
	site->nodes[node].held = once_in(2);
}

static void fail_store(void)
{
	if (store_has_failed())
		return;
	note("the engine fails");
	store_fail();
	world_at(world_now() + LEASE_USEC + LEASE_USEC / 20 + chance(3000000), return_store, NULL, 0);
}

static uint64_t some_time(void)
{
	return once_in(2) ? chance(300000) : chance(8000000);
}

static void befall(struct site *site)
{
	static const uint64_t roughness[] = { 0, 200, 30, 8 };
	unsigned i;

	switch (chance(16)) {
	case 0:
		site_kill(site);
		world_at(world_now() + some_time(), start, site, 0);
		break;
	case 1:
		site_stop(site, some_time());
		break;
	case 2:
		cut(site, some_time());
		break;
	case 3:
		for (i = 0; i < n_sites && once_in(3); i++)
			cut(&sites[i], some_time());
		break;
	case 4:
		if (once_in(4)) {
			site_crash(site);
			world_at(world_now() + some_time(), start, site, 0);
		}
		break;
	case 5:
		site->way.rough = roughness[chance(4)];
		break;
	case 6:
		if (site->gateway && once_in(2))
			gateway_leave(site->gateway);
		break;
	case 7:
		/* One that has left is another process's affair. */
		if (site->gateway && gateway_has_left(site->gateway)) {
			site_kill(site);
			world_at(world_now() + some_time(), start, site, 0);
		}
		break;
	case 8:
		if (once_in(2))
			store_keep();
		else if (once_in(4))
			fail_store();
		break;
	case 9:
		if (once_in(2))
			change_list(site);
		else
			change_usable(site);
		break;
	default:
		site_demand(site, (unsigned)chance(once_in(2) ? 3 : 14), 20000 + (once_in(5) ? chance(2000000) : chance(200000)));
		break;
	}
}

/* ---- a world ---- */

static void begin_world(uint64_t seed, const struct fault *fault)
{
	world_begin(seed, check);
	store_begin(fault->store, applied);
	store_keep();
	site_faults = fault->site;
	calm_weather = false;
	sites_margin_usec = MARGIN_USEC;
	memset(shares, 0, sizeof(shares));
}

static void begin_node(unsigned node, uint32_t cores)
{
	most_cores[node] = cores_of[node] = cores;
	(void)snprintf(names_of[node], sizeof(names_of[node]), "n%u:1", node % 1000);
}

static void begin_gateway(unsigned i, const struct fault *fault)
{
	/* Rates are parts of 2^20. */
	uint64_t drift = (1u << 20) * fault->drift / 1000;

	site_begin(&sites[i], i, 1000000 + chance(1000000000000), (1u << 20) - drift + chance(2 * drift + 1));
	world_at(chance(200000), start, &sites[i], 0);
}

static void begin(uint64_t seed, const struct fault *fault)
{
	unsigned i;

	begin_world(seed, fault);
	n_sites = 2 + (unsigned)chance(SITES_MAX - 1);
	n_nodes = 1 + (unsigned)chance(once_in(16) ? NODES_MAX : 4);
	for (i = 0; i < n_nodes; i++)
		begin_node(i, 1 + (uint32_t)chance(6));
	for (i = 0; i < n_sites; i++) {
		begin_gateway(i, fault);
		site_demand(&sites[i], (unsigned)chance(8), 100000);
	}
}

/* So many gateways, none of which has a client, so many nodes, and calm weather. */
static void begin_calm(uint64_t seed, unsigned gateways, unsigned nodes, uint32_t cores)
{
	unsigned i;

	begin_world(seed, find_fault("none"));
	calm_weather = true;
	n_sites = gateways;
	n_nodes = nodes;
	for (i = 0; i < nodes; i++)
		begin_node(i, cores);
	for (i = 0; i < gateways; i++)
		begin_gateway(i, find_fault("none"));
}

static void end(void)
{
	unsigned i;

	for (i = 0; i < n_sites; i++)
		site_end(&sites[i]);
	/* No message arrives any more. */
	world_run(world_now() + 20000000);
	store_end();
	world_end();
}

/* Everything works from now on, and all gateways have more to do than they can. */
static void repair(void)
{
	struct gateway_status status;
	unsigned i, j;

	calm_weather = true;
	store_return(false);
	for (i = 0; i < n_sites; i++) {
		sites[i].way = (struct way){ .cut = false };
		for (j = 0; j < n_nodes; j++) {
			site_list(&sites[i], j, cores_of[j]);
			sites[i].nodes[j].usable = true;
			sites[i].nodes[j].spare = false;
		}
		if (sites[i].gateway && sites[i].stopped && sites[i].stopped_usec > world_now())
			sites[i].stopped_usec = world_now();
		if (sites[i].gateway)
			gateway_status(sites[i].gateway, &status);
		if (sites[i].gateway && (status.peers[0].leaving || once_in(2)))
			site_kill(&sites[i]);
		site_start(&sites[i]);
		site_demand(&sites[i], 4 + 8 * (i == 0), 100000);
	}
}

static uint64_t oldest_waiter(const struct site *site)
{
	return site->n_waiters > 0 ? world_now() - site->waiters[0] : 0;
}

#define SAMPLES 100u

/* The first has 12 clients, the others have 4 each: for a while it has as many slots as any of them, on an average, or one
 * fewer, as no gateway may use a slot while it rests. */
static void look_at_shares(void)
{
	uint64_t sums[SITES_MAX] = { 0 }, cores = 0;
	unsigned sample, i, j;

	for (i = 0; i < n_nodes; i++)
		cores += cores_of[i];
	if (cores > 8 + 4 * n_sites)
		return; /* all have enough */
	for (sample = 0; sample < SAMPLES; sample++) {
		world_run(world_now() + 100000);
		for (i = 0; i < n_nodes; i++)
			for (j = 0; j < n_sites; j++)
				sums[j] += shares[i][j];
	}
	for (j = 1; j < n_sites; j++)
		if (sums[j] > sums[0] + SAMPLES)
			broken("end: gw1 has %" PRIu64 " slots in %u samples for 12 clients, and %s %" PRIu64 " for 4", sums[0],
			       SAMPLES, sites[j].name, sums[j]);
}

/* What must have come about some time after the repair. */
static void look_at_the_end(void)
{
	uint32_t cores = 0, dealt = 0;
	unsigned i, j;

	for (i = 0; i < n_nodes; i++) {
		cores += cores_of[i];
		for (j = 0; j < n_sites; j++)
			dealt += shares[i][j];
	}
	if (dealt < cores)
		broken("end: %u cores, of which %u have a gateway", cores, dealt);
	for (j = 0; j < n_sites; j++) {
		struct gateway_status status;

		gateway_status(sites[j].gateway, &status);
		if (!status.settled || !site_has_lease(&sites[j]))
			broken("end: %s is not settled", sites[j].name);
		if (oldest_waiter(&sites[j]) > 8000000)
			broken("end: %s has a waiter of %" PRIu64 " us", sites[j].name, oldest_waiter(&sites[j]));
	}
}

static uint64_t live(uint64_t seed, uint64_t steps, const struct fault *fault)
{
	uint64_t pace;

	begin(seed, fault);
	pace = once_in(2) ? 300000 : 2000000;
	while (world_steps() < steps) {
		world_run(world_now() + 1 + chance(pace));
		befall(&sites[chance(n_sites)]);
	}
	repair();
	world_run(world_now() + 15000000);
	look_at_shares();
	look_at_the_end();
	steps = world_steps();
	end();
	return steps;
}

/* ---- a load that moves ---- */

#define MOVES 200u

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* All works, and no gateway has a connection; then many clients come to the first at once. How long, of the world's time,
 * until they have all cores but the one that each other gateway keeps. */
static uint64_t move_once(uint64_t seed)
{
	uint32_t wanted = 0, have;
	uint64_t begin_usec;
	unsigned i, j;

	begin(seed, find_fault("none"));
	calm_weather = true;
	n_nodes = n_nodes < 4 ? n_nodes : 4;
	for (i = 0; i < n_nodes; i++) {
		wanted += cores_of[i] = 4 + (uint32_t)chance(4);
		for (j = 0; j < n_sites; j++)
			site_list(&sites[j], i, cores_of[i]);
	}
	wanted -= n_sites - 1;
	for (i = 0; i < n_sites; i++)
		site_demand(&sites[i], 0, 100000);
	world_run(world_now() + 20000000 + chance(1000000));
	begin_usec = world_now();
	site_demand(&sites[0], CONNECTIONS_MAX, 1000000000);
	do {
		world_run(world_now() + 100);
		for (have = 0, i = 0; i < n_nodes; i++)
			have += sites[0].nodes[i].busy;
	} while (have < wanted && world_now() < begin_usec + 5000000);
	begin_usec = world_now() - begin_usec;
	for (i = 0; i < n_sites; i++)
		site_end(&sites[i]);
	world_run(world_now() + 1100000000);
	store_end();
	world_end();
	return begin_usec;
}

static int move_often(uint64_t seed)
{
	uint64_t times[MOVES];
	unsigned i;

	for (i = 0; i < MOVES; i++)
		times[i] = move_once(seed + i);
	qsort(times, MOVES, sizeof(times[0]), by_size);
	printf("%u moves: p50 %" PRIu64 " us, p90 %" PRIu64 " us, most %" PRIu64 " us\n", MOVES, times[MOVES / 2],
	       times[MOVES * 9 / 10], times[MOVES - 1]);
	return 0;
}

/* ---- two machines with one name ---- */

#define NAMES 50u

static bool is_settled(const struct site *site)
{
	struct gateway_status status;

	if (!site->gateway)
		return false;
	gateway_status(site->gateway, &status);
	return status.settled;
}

/* Two gateways have one name. The machine of the second is another, or a copy of the first machine. One of them after the
 * other is stopped, or crashes, for longer than a lease, so that the other takes its place; then it goes on. Returns how often
 * the place was taken. */
static unsigned share_name(uint64_t seed)
{
	unsigned taken = 0, round, first;

	begin(seed, find_fault("none"));
	calm_weather = true;
	(void)strcpy(sites[1].name, sites[0].name);
	if (once_in(2))
		(void)strcpy(sites[1].identity, sites[0].identity);
	world_run(world_now() + 3000000);
	for (round = 0; round < 8; round++) {
		first = is_settled(&sites[1]);
		if (is_settled(&sites[0]) && is_settled(&sites[1]))
			broken("name: both gateways that are named %s are settled", sites[0].name);
		site_demand(&sites[0], 12, 100000);
		site_demand(&sites[1], 12, 100000);
		if (once_in(4)) {
			site_crash(&sites[first]);
			world_at(world_now() + some_time(), start, &sites[first], 0);
		} else {
			site_stop(&sites[first], LEASE_USEC + chance(LEASE_USEC));
		}
		world_run(world_now() + 3 * LEASE_USEC);
		taken += is_settled(&sites[!first]);
	}
	end();
	return taken;
}

static int share_names(uint64_t seed)
{
	unsigned i, taken = 0;

	for (i = 0; i < NAMES; i++)
		taken += share_name(seed + i);
	printf("%u worlds: the place was taken %u times, name-taken %" PRIu64 ", name-held %" PRIu64 "\n", NAMES, taken,
	       events_told[GATEWAY_NAME_TAKEN], events_told[GATEWAY_NAME_HELD]);
	return 0;
}

/* ---- a shorter lease ---- */

#define SHORTER 50u

/* The first gateway, whose connections last, is started again with a shorter lease, and is cut off soon after; the others
 * have the shorter lease already. */
static void shorten_once(uint64_t seed)
{
	begin(seed, find_fault("none"));
	calm_weather = true;
	sites[0].lease_length_usec = 4 * LEASE_USEC;
	site_demand(&sites[0], 12, 20000000);
	world_run(world_now() + 5000000);
	site_kill(&sites[0]);
	sites[0].lease_length_usec = LEASE_USEC;
	site_start(&sites[0]);
	world_run(world_now() + chance(1000000));
	cut(&sites[0], 4 * LEASE_USEC);
	world_run(world_now() + 5 * LEASE_USEC);
	end();
}

static int shorten_often(uint64_t seed)
{
	unsigned i;

	for (i = 0; i < SHORTER; i++)
		shorten_once(seed + i);
	printf("%u worlds: lapsed %" PRIu64 ", reclaimed %" PRIu64 "\n", SHORTER, events_told[GATEWAY_LAPSED],
	       events_told[GATEWAY_RECLAIMED]);
	return 0;
}

/* ---- outages ---- */

#define OUTAGES 50u

/* Gateways with a fence. The engine fails for longer than a lease, then a gateway's process is stopped for so long, then the
 * whole engine with a gateway that does not come back: of these only the last gateway is dead. */
static void suffer_outages(uint64_t seed)
{
	struct site *last;
	uint64_t reclaimed;

	begin(seed, find_fault("none"));
	sites_fence = true;
	calm_weather = true;
	last = &sites[n_sites - 1];
	world_run(world_now() + 3000000);
	store_fail();
	world_run(world_now() + LEASE_USEC + chance(2 * LEASE_USEC));
	store_return(false);
	world_run(world_now() + 2 * LEASE_USEC);
	site_stop(&sites[0], 2 * LEASE_USEC);
	world_run(world_now() + 4 * LEASE_USEC);
	reclaimed = events_told[GATEWAY_RECLAIMED];
	store_fail();
	site_kill(last);
	world_run(world_now() + LEASE_USEC + chance(2 * LEASE_USEC));
	store_return(false);
	world_run(world_now() + 3 * LEASE_USEC);
	if (events_told[GATEWAY_RECLAIMED] == reclaimed)
		broken("outages: no gateway has reclaimed what %s had", last->name);
	sites_fence = false;
	end();
}

static int suffer_often(uint64_t seed)
{
	unsigned i;

	for (i = 0; i < OUTAGES; i++)
		suffer_outages(seed + i);
	printf("%u worlds: silent %" PRIu64 ", reclaimed %" PRIu64 "\n", OUTAGES, events_told[GATEWAY_SILENT],
	       events_told[GATEWAY_RECLAIMED]);
	return 0;
}

/* ---- pauses ---- */

#define PAUSES 50u

/* Gateways with a short margin, of which the first has a fence. Again and again this one stops for almost a lease, and may find
 * its own lease valid: the other, whose heartbeats it has not read meanwhile, is well. */
static void pause_often(uint64_t seed)
{
	unsigned i;

	begin_calm(seed, 2, 1, 4);
	sites_margin_usec = 450000;
	world_run(world_now() + 3000000);
	site_kill(&sites[0]);
	sites_fence = true;
	site_start(&sites[0]);
	sites_fence = false;
	for (i = 0; i < PAUSES; i++) {
		world_run(world_now() + LEASE_USEC + chance(LEASE_USEC));
		site_stop(&sites[0], LEASE_USEC * 7 / 10 + chance(LEASE_USEC * 2 / 10));
	}
	end();
}

static int pause_worlds(uint64_t seed)
{
	unsigned i;

	for (i = 0; i < 10; i++)
		pause_often(seed + i);
	printf("%u pauses: silent %" PRIu64 ", lapsed %" PRIu64 "\n", 10 * PAUSES, events_told[GATEWAY_SILENT],
	       events_told[GATEWAY_LAPSED]);
	return 0;
}

/* ---- nodes that some gateways cannot use ---- */

#define USELESS 100u

/* Each node is held, or down, or not listed, at some gateways, but not at all of them; each gateway has clients for all cores.
 * Adds to *ret_cores the cores that can be used, and to *ret_used how many are used on an average. A gateway keeps a core of a
 * node that is down there, if the node has a core for each gateway. */
static void use_once(uint64_t seed, double *ret_cores, double *ret_used)
{
	uint64_t used = 0;
	unsigned i, j, sample;

	begin(seed, find_fault("none"));
	calm_weather = true;
	n_nodes = n_nodes < 4 ? n_nodes : 4;
	world_run(world_now() + 3000000);
	for (i = 0; i < n_nodes; i++) {
		unsigned user = (unsigned)chance(n_sites);

		*ret_cores += cores_of[i];
		for (j = 0; j < n_sites; j++) {
			struct node_at_site *node = &sites[j].nodes[i];

			if (j == user || once_in(2))
				continue;
			if (once_in(4)) {
				site_list(&sites[j], i, 0);
				continue;
			}
			node->usable = false;
			node->held = once_in(2);
			*ret_cores -= node->held || node->share == 0 || cores_of[i] < n_sites ? 0 : 1;
		}
	}
	for (j = 0; j < n_sites; j++)
		site_demand(&sites[j], 24, 100000);
	world_run(world_now() + 10000000);
	for (sample = 0; sample < SAMPLES; sample++) {
		world_run(world_now() + 100000);
		for (i = 0; i < n_nodes; i++)
			for (j = 0; j < n_sites; j++)
				used += sites[j].nodes[i].busy;
	}
	*ret_used += (double)used / SAMPLES;
	end();
}

static int use_often(uint64_t seed)
{
	double cores = 0, used = 0;
	unsigned i;

	for (i = 0; i < USELESS; i++)
		use_once(seed + i, &cores, &used);
	printf("%u worlds: %.0f %% of the cores that can be used are used\n", USELESS, 100 * used / cores);
	return 0;
}

/* ---- a node that became smaller ---- */

static uint32_t busy_at(unsigned node)
{
	uint32_t busy = 0;
	unsigned i;

	for (i = 0; i < n_sites; i++)
		busy += sites[i].nodes[node].busy;
	return busy;
}

/* The lists of two gateways differ in one node. Both halve the cores of the other node, and later give it all of them again:
 * the first holds soon, the second as soon as the lists are the same. */
static void shrink_once(uint64_t seed)
{
	unsigned i, sample;

	begin_calm(seed, 2, 2, 16);
	site_list(&sites[1], 1, 0);
	site_demand(&sites[0], 48, 100000);
	site_demand(&sites[1], 12, 100000);
	world_run(world_now() + 5000000);
	for (i = 0; i < 2; i++)
		site_list(&sites[i], 0, 8);
	world_run(world_now() + 3000000);
	for (sample = 0; sample < SAMPLES; sample++) {
		world_run(world_now() + 50000);
		if (busy_at(0) > 8)
			broken("shrunk: %s has 8 cores and %u connections", names_of[0], busy_at(0));
	}
	for (i = 0; i < 2; i++) {
		site_list(&sites[i], 0, 16);
		site_list(&sites[i], 1, 16);
	}
	world_run(world_now() + 3000000);
	if (busy_at(0) < 14)
		broken("shrunk: %s has 16 cores again, and %u connections", names_of[0], busy_at(0));
	end();
}

/* ---- a node that is down beside connections ---- */

/* A node goes down for a gateway that has two long connections there: the gateway gives cores of it, and keeps one with which
 * another connection can try the node. */
static void try_once(uint64_t seed)
{
	struct node_at_site *node = &sites[0].nodes[0];

	begin_calm(seed, 2, 1, 8);
	world_run(world_now() + 3000000);
	site_demand(&sites[0], 2, 1000000000);
	world_run(world_now() + 1000000);
	node->usable = node->held = false;
	site_demand(&sites[1], 12, 100000);
	world_run(world_now() + 3000000);
	if (node->share <= node->busy || sites[1].nodes[0].busy < 8 - node->share)
		broken("trial: %s has a limit of %u with %u connections, and %s has %u", sites[0].name, node->share, node->busy,
		       sites[1].name, sites[1].nodes[0].busy);
	end();
}

/* ---- nodes that one of two gateways cannot use ---- */

/* How many connections the gateway has in the next time, on an average. */
static double mean_busy(const struct site *site)
{
	uint64_t sum = 0;
	unsigned sample, i;

	for (sample = 0; sample < SAMPLES; sample++) {
		world_run(world_now() + 50000);
		for (i = 0; i < n_nodes; i++)
			sum += site->nodes[i].busy;
	}
	return (double)sum / SAMPLES;
}

/* Half of the nodes are held at the first gateway, to which all clients come: the other gateway takes those nodes whole, and
 * gives the first the nodes that both can use. */
static void hold_once(uint64_t seed)
{
	double busy;
	unsigned i;

	begin_calm(seed, 2, 4, 4);
	world_run(world_now() + 3000000);
	for (i = 0; i < 2; i++) {
		sites[0].nodes[i].usable = false;
		sites[0].nodes[i].held = true;
	}
	world_run(world_now() + 3000000);
	site_demand(&sites[0], 14, 200000);
	world_run(world_now() + 10000000);
	busy = mean_busy(&sites[0]);
	if (busy < 7)
		broken("held: %s has 8 cores and %.1f connections on an average", sites[0].name, busy);
	end();
}

/* ---- a gateway that can reach no node ---- */

static uint32_t shares_of(unsigned site)
{
	uint32_t sum = 0;
	unsigned i;

	for (i = 0; i < n_nodes; i++)
		sum += shares[i][site];
	return sum;
}

/* Of three gateways the first can reach no node any more. While the load moves between the others, no core comes to the first,
 * and what it had goes to them. */
static void reach_none(uint64_t seed)
{
	uint32_t had;
	double busy;
	unsigned i;

	begin_calm(seed, 3, 6, 1);
	world_run(world_now() + 3000000);
	had = shares_of(0);
	for (i = 0; i < n_nodes; i++)
		sites[0].nodes[i].usable = sites[0].nodes[i].held = false;
	for (i = 0; i < 40; i++) {
		site_demand(&sites[1], i % 2, 200000);
		site_demand(&sites[2], !(i % 2), 200000);
		world_run(world_now() + 1000000);
		if (shares_of(0) > had)
			broken("unreachable: %s can reach no node, and had %u cores; it has %u", sites[0].name, had,
			       shares_of(0));
	}
	site_demand(&sites[1], 12, 100000);
	site_demand(&sites[2], 12, 100000);
	world_run(world_now() + 3000000);
	busy = mean_busy(&sites[1]) + mean_busy(&sites[2]);
	if (busy < 5 || shares_of(0) > 0)
		broken("unreachable: %s has %u cores, the others %.1f connections on an average", sites[0].name,
		       shares_of(0), busy);
	end();
}

/* No gateway can reach any node: some gateway has a core of each, to try it. */
static void reach_again(uint64_t seed)
{
	uint32_t sum;
	unsigned i, j;

	begin_calm(seed, 3, 6, 1);
	world_run(world_now() + 3000000);
	for (i = 0; i < n_nodes; i++)
		for (j = 0; j < n_sites; j++)
			sites[j].nodes[i].usable = sites[j].nodes[i].held = false;
	world_run(world_now() + 5000000);
	for (i = 0; i < n_nodes; i++) {
		for (j = sum = 0; j < n_sites; j++)
			sum += sites[j].nodes[i].share;
		if (sum != 1)
			broken("unreachable: no gateway can try %s", names_of[i]);
	}
	end();
}

/* ---- scenes by their names ---- */

#define WORLDS 20u

static const struct scene {
	const char *name;
	int (*all)(uint64_t seed);
	void (*once)(uint64_t seed); /* if there is no all: a world, which ends the program if it is not as it must be */
} scenes[] = {
	{ "moves", move_often, NULL },
	{ "names", share_names, NULL },
	{ "shorter", shorten_often, NULL },
	{ "outages", suffer_often, NULL },
	{ "pauses", pause_worlds, NULL },
	{ "useless", use_often, NULL },
	{ "shrunk", NULL, shrink_once },
	{ "trial", NULL, try_once },
	{ "held", NULL, hold_once },
	{ "unreachable", NULL, reach_none },
	{ "down", NULL, reach_again },
};

static int play(void (*once)(uint64_t seed), uint64_t seed)
{
	unsigned i;

	for (i = 0; i < WORLDS; i++)
		once(seed + i);
	printf("%u worlds\n", WORLDS);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	const struct fault *fault = find_fault(argc > 3 ? argv[3] : "none");
	uint64_t done = 0, worlds = 0;
	unsigned i;

	for (i = 0; argc > 1 && i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (strcmp(argv[1], scenes[i].name) == 0)
			return scenes[i].all ? scenes[i].all(seed) : play(scenes[i].once, seed);
	while (done < steps) {
		done += live(seed++, 40000, fault);
		worlds++;
	}
	printf("%" PRIu64 " steps in %" PRIu64 " worlds\n", done, worlds);
	for (i = 0; i < GATEWAY_EVENT_MAX_; i++)
		if (events_told[i] > 0)
			printf("%s %" PRIu64 "\n", gateway_event_word((enum gateway_event_kind)i), events_told[i]);
	return 0;
}
