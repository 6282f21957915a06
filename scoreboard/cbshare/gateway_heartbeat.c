/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * gateway_heartbeat.c: a heartbeat renews the lease, and tells others how many
 * connections this gateway has and wants. What they should know at once is sent at
 * once, but on an average not more often than once in HEARTBEAT_USEC.
 */

#include "gateway_heartbeat.h"

#include <string.h>

#define HEARTBEAT_USEC 50000u          /* a heartbeat in so much time, on an average, */
#define HEARTBEAT_BURST 4u             /* and so many at once after a quiet while: a load that moves is told as it grows */
#define AGE_STEP_USEC UINT64_C(500000) /* the age of the oldest waiter is told when it is so far from what others think */
#define DEMAND_PART 32u                /* demand is told when it has changed by 2 and so small a part */

static struct heartbeat heartbeat_now(const struct gateway *g)
{
	struct heartbeat h = { .sequence = g->said.sequence + 1, .lease_usec = g->own.lease_usec, .busy = g->own.busy,
			       .waiting = g->own.waiting, .age_usec = g->own.age_usec, .list = g->own.list,
			       .leaving = g->own.leaving };

	memcpy(h.identity, g->identity, strlen(g->identity) + 1);
	memcpy(h.boot, g->boot, sizeof(h.boot));
	return h;
}

void gateway_put_heartbeat(struct gateway *g, struct request *request)
{
	struct heartbeat h = heartbeat_now(g);
	char *text = NULL;

	if (heartbeat_format(&h, &text) < 0)
		request->complete = false;
	request_put(request, known_key(&g->known, 'g', gateway_self(g)->name), text);
	g->said = h;
	g->said_usec = g->own.now_usec;
	g->beats_usec = (g->beats_usec > g->said_usec ? g->beats_usec : g->said_usec) + HEARTBEAT_USEC;
	g->said_any = true;
}

uint64_t gateway_shares(const struct gateway *g)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < g->known.n_nodes; i++)
		sum += g->known.nodes[i]->shares[0];
	return sum;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

bool gateway_has_company(const struct gateway *g)
{
	size_t i;

	for (i = 1; i < GATEWAYS_MAX; i++)
		if (g->known.peers[i].present)
			return true;
	return false;
}

/* Whether others should hear at once how this gateway is. */
static bool has_news(const struct gateway *g)
{
	const struct heartbeat *said = &g->said;
	const struct own *own = &g->own;
	uint64_t thought = said->age_usec + (own->now_usec - g->said_usec), shares = gateway_shares(g);

	if (!g->said_any || said->leaving != own->leaving || said->list != own->list)
		return true;
	if (!gateway_has_company(g))
		return false;
	return (said->waiting > 0) != (own->waiting > 0) || (said->busy >= shares) != (own->busy >= shares) ||
	       distance(said->busy + said->waiting, own->busy + own->waiting) >= 2 + (own->busy + own->waiting) / DEMAND_PART ||
	       (own->waiting > 0 && distance(thought, own->age_usec) > AGE_STEP_USEC);
}

uint64_t gateway_heartbeat_due(const struct gateway *g)
{
	const uint64_t burst_usec = (HEARTBEAT_BURST - 1) * HEARTBEAT_USEC;

	if (!has_news(g))
		return g->said_usec + g->own.lease_usec / 4;
	return g->beats_usec > burst_usec ? g->beats_usec - burst_usec : 0;
}
