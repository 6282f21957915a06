/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * gateway.c: the protocol.
 *
 * Why the cap holds. In the engine the shares of a node are never more than its
 * cores, as each change of them compares the revision of what it was computed from.
 * A gateway's limit is never more than its share: the limit falls before the share
 * does, and rises after. That leaves two enemies.
 *
 * A commit without an answer may be applied at any later time. So nothing that it
 * lowered rises before the gateway is settled again: it writes its epoch, which each
 * of its commits compares, and only then reads. A read alone would not do: the
 * commit may be applied after it.
 *
 * A gateway that is cut off cannot see that others take its slots. So it has a lease: until
 * the time at which it sent its last heartbeat, plus L, less a margin. Others take its slots
 * when they have not seen its heartbeat change for L and 2 %, by their own clocks, and
 * the engine still has that heartbeat. A heartbeat is renewed only if the engine has
 * the heartbeat before. If others have deleted that, the gateway settles, and finds what it has left.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_heartbeat.h"
#include "gateway_news.h"
#include "gateway_state.h"

#define LOOK_USEC 20000u               /* how often the farm is looked at, */
#define LOOK_NODE_USEC 4u              /* and so much more seldom for each node, */
#define LOOK_SOON_USEC 10000u          /* and while slots are to change hands */
#define PAUSE_PART 8u                  /* such a part of a lease without a turn is a pause: the process stood still */
#define RETRY_FIRST_USEC 50000u        /* the wait after a request that failed, which doubles */
#define RETRY_LAST_USEC 1000000u
#define REFUSED_MAX 2u                 /* so many refusals in a row, and all keys are read anew */

/* ---- requests ---- */

static struct request *prepare(struct gateway *g, enum request_kind kind)
{
	struct request *request = request_new(&g->known, kind);

	if (!request)
		return NULL;
	request->round = g->round;
	request->sent_usec = g->own.now_usec;
	return request;
}

static void later(struct gateway *g)
{
	g->retry_span = g->retry_span == 0 ? RETRY_FIRST_USEC : 2 * g->retry_span;
	if (g->retry_span > RETRY_LAST_USEC)
		g->retry_span = RETRY_LAST_USEC;
	g->retry_usec = g->own.now_usec + g->retry_span;
}

/* Sends the request, which may be NULL. Returns whether it was sent; if not, it is asked again later. */
static bool send_request(struct gateway *g, struct request *request)
{
	int r = !request ? -ENOMEM :
		request->kind == REQUEST_READ ? request_read(request, g->engine) : request_commit(request, g->engine);

	if (r < 0) {
		if (request)
			request_free(request);
		later(g);
		return false;
	}
	request->next = g->requests;
	g->requests = request;
	g->pending[request->kind] = true;
	return true;
}

static void ask_all(struct gateway *g)
{
	(void)send_request(g, prepare(g, REQUEST_READ));
}

/* Every commit but a settlement is void once this gateway, or another program of its name, has written the epoch again. */
static void compare_epoch(struct gateway *g, struct request *request)
{
	request_compare(request, known_key(&g->known, 'e', gateway_self(g)->name), g->epoch);
}

static uint64_t present_revision(const struct peer *peer)
{
	return peer->present ? peer->revision : 0;
}

static void compare_heartbeat(struct gateway *g, struct request *request, const struct peer *peer)
{
	request_compare(request, known_key(&g->known, 'g', peer->name), present_revision(peer));
}

/* What was asked is without an answer, or this gateway's keys are not what it left: it settles. */
static void unsettle(struct gateway *g)
{
	g->state = STATE_FIND;
	g->round++;
	memset(g->pending, 0, sizeof(g->pending));
	later(g);
}

/* ---- heartbeats ---- */

static void renew(struct gateway *g)
{
	struct request *request;

	if (g->pending[REQUEST_RENEW] || g->own.now_usec < gateway_heartbeat_due(g))
		return;
	request = prepare(g, REQUEST_RENEW);
	if (request) {
		compare_heartbeat(g, request, gateway_self(g));
		compare_epoch(g, request);
		gateway_put_heartbeat(g, request);
	}
	/* What was not sent is news. */
	if (!send_request(g, request))
		g->said_any = false;
}

static void promise(struct gateway *g, const struct request *request)
{
	uint64_t until = request->sent_usec + g->own.lease_usec - g->margin_usec;

	if (until > g->promised_usec)
		g->promised_usec = until;
}

/* ---- settling ---- */

/* Whether another machine says that it is the gateway of this name, and may have a lease. */
static bool is_name_taken(struct gateway *g)
{
	const struct peer *peer = gateway_self(g);

	return peer->present && peer->readable && strcmp(peer->said.identity, g->identity) != 0 &&
	       g->own.now_usec < plan_reclaim_usec(peer, &g->own, &g->rules);
}

/* Whether a machine of this identity that was started at another time is the gateway of this name, and may have a lease: this
 * machine before it was started again, or a copy of it. Of the former no connection is left, so no fence is needed. */
static bool is_name_held(struct gateway *g)
{
	const struct peer *peer = gateway_self(g);

	return peer->present && peer->readable && peer->said.boot[0] != '\0' && g->boot[0] != '\0' &&
	       strcmp(peer->said.boot, g->boot) != 0 && !peer_is_silent(peer, &g->own);
}

static void wait_for_name(struct gateway *g, enum gateway_event_kind why)
{
	if (!g->name_taken)
		gateway_tell_of(g, why, gateway_self(g)->name);
	g->name_taken = true;
	g->state = STATE_FIND;
	later(g);
}

/* The heartbeat says this program's lease. Where a former program had a longer one, the farm's lease ends sooner from now on. */
static int shorten_lease(struct gateway *g)
{
	uint64_t until = g->own.now_usec + g->own.lease_usec - g->margin_usec;
	int r;

	if (g->lease_usec <= until)
		return 0;
	r = g->farm.set_lease(g->farm.context, until);
	if (r == 0)
		g->lease_usec = until;
	return r;
}

static int settle(struct gateway *g)
{
	struct request *request;
	int r;

	if (is_name_taken(g) || is_name_held(g)) {
		wait_for_name(g, is_name_taken(g) ? GATEWAY_NAME_TAKEN : GATEWAY_NAME_HELD);
		return 0;
	}
	r = shorten_lease(g);
	if (r < 0)
		return r;
	g->name_taken = false;
	request = prepare(g, REQUEST_SETTLE);
	if (request) {
		compare_heartbeat(g, request, gateway_self(g));
		request_put(request, known_key(&g->known, 'e', gateway_self(g)->name), strdup("{}"));
		gateway_put_heartbeat(g, request);
	}
	(void)send_request(g, request);
	return 0;
}

static void reset_offers(struct gateway *g)
{
	size_t i;

	for (i = 0; i < g->known.n_nodes; i++) {
		g->known.nodes[i]->local.offer = g->known.nodes[i]->local.shed = 0;
		g->known.nodes[i]->local.accounted = g->known.nodes[i]->shares[0];
	}
}

static void changed(void *context, const struct engine_value *values, size_t n)
{
	struct gateway *g = context;

	known_change(&g->known, values, n);
}

static void lost(void *context, const char *reason)
{
	struct gateway *g = context;

	(void)reason;
	g->watching = false;
}

static void watch(struct gateway *g, uint64_t revision)
{
	g->watching = g->engine->calls->watch(g->engine, g->known.prefix, revision, changed, lost, g) == 0;
	if (!g->watching)
		later(g);
}

/* Whether connections run that no share of this gateway's covers, as where it was started under another name. */
static bool is_over_share(const struct gateway *g)
{
	size_t i;

	for (i = 0; i < g->known.n_nodes; i++)
		if (g->known.nodes[i]->local.busy > g->known.nodes[i]->shares[0])
			return true;
	return false;
}

/* Tells by how many the gateway's shares have changed while it was not settled. */
static void tell_settled(struct gateway *g)
{
	uint64_t before = 0, now = gateway_shares(g);
	size_t i;

	for (i = 0; i < g->known.n_nodes; i++)
		before += g->known.nodes[i]->local.accounted;
	if (!g->joined)
		gateway_tell(g, &(struct gateway_event){ .kind = GATEWAY_JOINED, .slots = now });
	else if (now > before)
		gateway_tell(g, &(struct gateway_event){ .kind = GATEWAY_GOT, .slots = now - before });
	else if (now < before)
		gateway_tell(g, &(struct gateway_event){ .kind = g->lapsed ? GATEWAY_LOST : GATEWAY_GAVE,
							 .slots = before - now });
}

/* All that was ever asked before this settlement is applied, or never will be; so the shares that were read are exact. */
static void activate(struct gateway *g, const struct request *read)
{
	tell_settled(g);
	if (g->lapsed)
		g->own.hears_usec = g->own.now_usec;
	g->over_share = !g->joined && is_over_share(g);
	known_purge(&g->known);
	reset_offers(g);
	g->state = STATE_ACTIVE;
	g->joined = true;
	g->retry_span = 0;
	g->retry_usec = 0;
	g->refused = 0;
	watch(g, read->revision);
}

/* ---- answers ---- */

static void after_read(struct gateway *g, const struct request *request)
{
	if (request->outcome != ENGINE_DONE || !g->known.complete) {
		if (g->state != STATE_ACTIVE)
			g->state = STATE_FIND;
		later(g);
	} else if (g->state == STATE_FIND) {
		g->state = STATE_SETTLE;
	} else if (g->state == STATE_CHECK && (gateway_self(g)->epoch != g->epoch || gateway_self(g)->revision != g->epoch)) {
		unsettle(g);
	} else if (g->state == STATE_CHECK) {
		activate(g, request);
	} else {
		g->refused = 0;
		watch(g, request->revision);
	}
}

static void after_settle(struct gateway *g, const struct request *request)
{
	if (request->outcome != ENGINE_DONE) {
		g->state = STATE_FIND;
		later(g);
		return;
	}
	g->epoch = request->revision;
	g->state = STATE_CHECK;
	promise(g, request);
}

static void after_renew(struct gateway *g, const struct request *request)
{
	if (request->outcome == ENGINE_DONE) {
		promise(g, request);
		g->retry_span = 0;
		return;
	}
	if (request->outcome == ENGINE_UNKNOWN)
		gateway_tell_of(g, GATEWAY_UNSETTLED, NULL);
	unsettle(g);
}

/* What this gateway has moved itself is told as that move, and not as something that came. */
static void account(struct gateway *g, const struct request *request)
{
	size_t length = strlen(g->known.prefix) + strlen("n/"), i;

	for (i = 0; i < request->n_puts; i++) {
		struct known_node *node = request->gains[i] == 0 ? NULL : known_node(&g->known, request->puts[i].key + length);

		if (node)
			node->local.accounted = (uint32_t)(node->local.accounted + request->gains[i]);
	}
}

static void mark_aged(struct gateway *g, const char *name)
{
	size_t i;

	for (i = 1; i < GATEWAYS_MAX; i++)
		if (strcmp(g->known.peers[i].name, name) == 0)
			g->known.peers[i].aged_revision = g->known.peers[i].revision;
}

static void after_move(struct gateway *g, struct request *request, bool current)
{
	if (request->outcome == ENGINE_DONE) {
		account(g, request);
		g->refused = 0;
		if (current)
			g->retry_span = g->retry_usec = 0;
		if (request->event.kind == GATEWAY_GAVE)
			mark_aged(g, request->peer);
		if (request->event.slots > 0 || request->event.kind == GATEWAY_RECLAIMED)
			gateway_tell(g, &request->event);
	} else if (current && request->outcome == ENGINE_UNKNOWN) {
		gateway_tell_of(g, GATEWAY_UNSETTLED, NULL);
		unsettle(g);
	} else if (current) {
		g->refused++;
		g->refused_newest = request->newest;
		later(g);
	}
}

static void after_goodbye(struct gateway *g, const struct request *request)
{
	if (request->outcome == ENGINE_DONE) {
		g->state = STATE_LEFT;
		gateway_tell_of(g, GATEWAY_LEFT, NULL);
	} else {
		unsettle(g);
	}
}

static void take_answer(struct gateway *g, struct request *request)
{
	bool current = request->round == g->round;

	if (current)
		g->pending[request->kind] = false;
	if (request->kind == REQUEST_MOVE)
		after_move(g, request, current);
	else if (!current)
		return;
	else if (request->kind == REQUEST_READ)
		after_read(g, request);
	else if (request->kind == REQUEST_SETTLE)
		after_settle(g, request);
	else if (request->kind == REQUEST_RENEW)
		after_renew(g, request);
	else
		after_goodbye(g, request);
}

/* Answers are dealt with in the order in which they were asked for. */
static void take_answers(struct gateway *g)
{
	struct request **at, *request, *answered = NULL;

	for (at = &g->requests; *at;) {
		request = *at;
		if (!request->answered) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		request->next = answered;
		answered = request;
	}
	while (answered) {
		request = answered;
		answered = request->next;
		take_answer(g, request);
		request_free(request);
	}
}

/* ---- moving ---- */

static void add_edit(struct gateway *g, struct request *request, const struct plan_edit *edit)
{
	const struct known_node *node = edit->node;
	struct shares_text *text = edit->remove ? NULL : shares_begin(edit->cores);
	char *value = NULL;
	size_t i;

	for (i = 0; i < GATEWAYS_MAX && text; i++)
		if (edit->shares[i] > 0)
			shares_add(text, g->known.peers[i].name, edit->shares[i]);
	for (i = 0; i < GATEWAYS_MAX && text; i++)
		if (edit->useless & peer_bit(i))
			shares_add_useless(text, g->known.peers[i].name);
	if (!edit->remove && shares_end(text, &value) < 0)
		request->complete = false;
	request_compare(request, known_key(&g->known, 'n', node->name), node->present ? node->revision : 0);
	request->gains[request->n_puts] = (int64_t)edit->shares[0] - node->shares[0];
	request_put(request, known_key(&g->known, 'n', node->name), value);
}

static void add_plan(struct gateway *g, struct request *request, const struct plan *plan)
{
	const struct peer *peer = &g->known.peers[plan->peer];
	size_t i;

	compare_epoch(g, request);
	for (i = 0; i < plan->n; i++)
		add_edit(g, request, &plan->edits[i]);
	/* The first commit ends the dead peer's lease for ever: its next heartbeat is refused. */
	if (plan->kind == GATEWAY_RECLAIMED) {
		compare_heartbeat(g, request, peer);
		if (peer->present)
			request_put(request, known_key(&g->known, 'g', peer->name), NULL);
	}
	request->event = (struct gateway_event){ .kind = plan->kind, .slots = plan->slots, .nodes = plan->slot_nodes };
	if (plan->n > 0)
		request->event.node = request->puts[0].key + strlen(g->known.prefix) + strlen("n/");
	if (plan->peer > 0) {
		memcpy(request->peer, peer->name, sizeof(request->peer));
		request->event.peer = request->peer;
	}
}

static bool has_said_list(const struct gateway *g)
{
	return g->said_any && g->said.list == g->own.list;
}

/* Whether every gateway that is there has this gateway's list, and has heard of it. */
static bool is_list_settled(const struct gateway *g)
{
	size_t i;

	for (i = 1; i < GATEWAYS_MAX; i++)
		if (g->known.peers[i].present && (!g->known.peers[i].readable || g->known.peers[i].said.list != g->own.list))
			return false;
	return has_said_list(g);
}

/* After a refusal a move is computed anew at once when more is known than before: another gateway was quicker, and the watch
 * tells what it changed. */
static bool may_move(const struct gateway *g)
{
	return g->own.now_usec >= g->retry_usec || (g->refused > 0 && g->known.newest > g->refused_newest);
}

static void move(struct gateway *g)
{
	struct plan plan;
	struct request *request;

	if (g->pending[REQUEST_MOVE])
		return;
	g->rules.said_list = has_said_list(g);
	g->rules.settled_list = is_list_settled(g);
	g->own.company = gateway_has_company(g);
	balance_set(&g->balance, &g->known, &g->own);
	if (balance_offer(&g->known, &g->balance, &g->own) < 0 || !may_move(g) ||
	    !plan_next(&plan, &g->known, &g->balance, &g->own, &g->rules))
		return;
	request = prepare(g, REQUEST_MOVE);
	if (request)
		add_plan(g, request, &plan);
	(void)send_request(g, request);
}

/* ---- leaving ---- */

static bool may_go(const struct gateway *g)
{
	return g->own.leaving && gateway_shares(g) == 0 && !g->pending[REQUEST_MOVE] && !g->pending[REQUEST_RENEW];
}

/* The lease goes first: shares that others give in this moment belong to no gateway when the heartbeat has gone. */
static int say_goodbye(struct gateway *g)
{
	struct request *request;
	int r = g->farm.set_lease(g->farm.context, 1);

	if (r < 0)
		return r;
	g->lease_usec = 1;
	g->promised_usec = 0;
	g->lapsed = true;
	request = g->pending[REQUEST_GOODBYE] ? NULL : prepare(g, REQUEST_GOODBYE);
	if (!request)
		return 0;
	compare_heartbeat(g, request, gateway_self(g));
	compare_epoch(g, request);
	request_put(request, known_key(&g->known, 'g', gateway_self(g)->name), NULL);
	request_put(request, known_key(&g->known, 'e', gateway_self(g)->name), NULL);
	(void)send_request(g, request);
	return 0;
}

/* ---- an engine that went back ---- */

/* The engine may have lost moves of cores to and from this gateway. So no gateway uses a core for as long as a lease from
 * before can be valid: each gateway notices the loss when it next asks for something. */
static int begin_anew(struct gateway *g)
{
	int r = g->farm.set_lease(g->farm.context, 1);

	if (r < 0)
		return r;
	gateway_tell_of(g, GATEWAY_WENT_BACK, NULL);
	g->lease_usec = 1;
	g->promised_usec = 0;
	known_forget(&g->known);
	reset_offers(g);
	unsettle(g);
	g->retry_usec = g->own.now_usec + g->own.lease_usec + g->own.lease_usec / 50;
	g->watching = g->said_any = false;
	return 0;
}

/* ---- a turn ---- */

/* The farm's lease as it was found. A farm without a lease would give out all slots. */
static int find_lease(struct gateway *g, uint64_t found)
{
	int r = found == 0 ? g->farm.set_lease(g->farm.context, 1) : 0;

	if (r < 0)
		return r;
	g->lease_usec = found == 0 ? 1 : found;
	return 0;
}

static int end_found_lease(struct gateway *g)
{
	int r = g->farm.set_lease(g->farm.context, 1);

	if (r < 0)
		return r;
	g->lease_usec = 1;
	g->over_share = false;
	return 0;
}

/* What ended the lease, an engine without answers or a machine that stood still, kept this gateway from hearing others, too. So
 * their silence counts from here, and again from when the engine has answered. */
static void lapse(struct gateway *g)
{
	if (g->own.now_usec < g->lease_usec || g->lapsed)
		return;
	g->lapsed = true;
	g->own.hears_usec = g->own.now_usec;
	gateway_tell_of(g, GATEWAY_LAPSED, NULL);
}

/* Limits are those of the shares: the lease may be longer. */
static int extend(struct gateway *g)
{
	int r;

	if (g->state != STATE_ACTIVE || g->promised_usec <= g->lease_usec)
		return 0;
	r = g->farm.set_lease(g->farm.context, g->promised_usec);
	if (r < 0)
		return r;
	g->lease_usec = g->promised_usec;
	if (g->lapsed && g->own.now_usec < g->lease_usec) {
		g->lapsed = false;
		gateway_tell_of(g, GATEWAY_RENEWED, NULL);
	}
	return 0;
}

static int be_active(struct gateway *g)
{
	bool anew = !g->watching || g->refused >= REFUSED_MAX || !g->known.complete;

	gateway_tell_news(g);
	if (may_go(g))
		return say_goodbye(g);
	/* Another program has settled under this name: the shares that were read since are that program's. */
	if (gateway_self(g)->epoch != g->epoch) {
		unsettle(g);
		return 0;
	}
	renew(g);
	if (anew && !g->pending[REQUEST_READ] && g->own.now_usec >= g->retry_usec)
		ask_all(g);
	move(g);
	return 0;
}

static int step(struct gateway *g)
{
	if (g->state == STATE_ACTIVE)
		return be_active(g);
	if (g->state == STATE_LEFT || g->own.now_usec < g->retry_usec || g->pending[REQUEST_READ] || g->pending[REQUEST_SETTLE])
		return 0;
	if (g->state == STATE_SETTLE)
		return settle(g);
	ask_all(g);
	return 0;
}

/* Shares are this program's once it was settled. Before that they are a former program's, and exact as long as the lease is. */
static int limit(struct gateway *g)
{
	g->lowered = false;
	return g->joined ? local_limit(&g->known, &g->farm, g->state == STATE_ACTIVE, &g->lowered) : 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_offering(const struct gateway *g)
{
	size_t i;

	for (i = 0; i < g->known.n_nodes; i++)
		if (g->known.nodes[i]->local.offer > 0)
			return true;
	return false;
}

static uint64_t next_turn(const struct gateway *g)
{
	uint64_t now = g->own.now_usec, next = now + LOOK_USEC + LOOK_NODE_USEC * g->known.n_nodes;
	size_t i;

	if (g->state == STATE_LEFT)
		return UINT64_MAX;
	if (g->lowered)
		return now;
	if (is_offering(g))
		next -= LOOK_USEC - LOOK_SOON_USEC;
	if (g->lease_usec > now)
		next = earlier(next, g->lease_usec);
	if (g->state == STATE_ACTIVE && !g->pending[REQUEST_RENEW] && !may_go(g))
		next = earlier(next, gateway_heartbeat_due(g));
	if (g->retry_usec > now)
		next = earlier(next, g->retry_usec);
	for (i = 1; i < GATEWAYS_MAX; i++)
		if (g->known.peers[i].present && plan_reclaim_usec(&g->known.peers[i], &g->own, &g->rules) > now)
			next = earlier(next, plan_reclaim_usec(&g->known.peers[i], &g->own, &g->rules));
	return next;
}

/* After a pause, of which the lease may have seen nothing, what the others said meanwhile is perhaps still to be read. */
static void begin_turn(struct gateway *g, uint64_t now_usec)
{
	if (g->own.now_usec > 0 && now_usec - g->own.now_usec > g->own.lease_usec / PAUSE_PART)
		g->own.hears_usec = now_usec;
	g->own.now_usec = now_usec;
}

int gateway_turn(struct gateway *g, uint64_t now_usec, uint64_t *ret_next)
{
	uint64_t lease;
	int r;

	begin_turn(g, now_usec);
	*ret_next = now_usec + LOOK_USEC;
	if (g->state == STATE_LEFT) {
		*ret_next = UINT64_MAX;
		return 0;
	}
	known_stamp(&g->known, now_usec);
	r = local_look(&g->known, &g->farm, &g->own, &lease);
	if (r == 0)
		r = find_lease(g, lease);
	if (r < 0)
		return r;
	take_answers(g);
	if (g->known.went_back)
		r = begin_anew(g);
	else if (g->over_share)
		r = end_found_lease(g);
	lapse(g);
	if (r == 0)
		r = step(g);
	if (r == 0)
		r = limit(g);
	if (r == 0)
		r = extend(g);
	if (r == 0)
		*ret_next = next_turn(g);
	return r;
}

void gateway_fenced(struct gateway *g, const char *peer)
{
	size_t i;

	for (i = 1; i < GATEWAYS_MAX; i++)
		if (g->known.peers[i].present && strcmp(g->known.peers[i].name, peer) == 0 &&
		    g->known.peers[i].silent_revision == g->known.peers[i].revision)
			g->known.peers[i].fenced_revision = g->known.peers[i].revision;
}

void gateway_leave(struct gateway *g)
{
	g->own.leaving = true;
}

bool gateway_has_left(const struct gateway *g)
{
	return g->state == STATE_LEFT;
}

/* ---- from its beginning to its end ---- */

static bool is_name(const char *name)
{
	return name && name[0] != '\0' && strlen(name) <= GATEWAY_NAME_MAX &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static bool is_valid(const struct gateway_settings *settings)
{
	return is_name(settings->name) && settings->prefix && settings->identity &&
	       strlen(settings->identity) <= IDENTITY_MAX && settings->boot && strlen(settings->boot) <= BOOT_MAX &&
	       settings->lease_usec <= SPAN_MAX_USEC &&
	       settings->margin_usec < settings->lease_usec && settings->fence_wait_usec <= SPAN_MAX_USEC;
}

int gateway_new(const struct gateway_settings *settings, struct engine *engine, const struct gateway_farm *farm,
		const struct gateway_hooks *hooks, struct gateway **ret)
{
	struct gateway *g;

	if (!is_valid(settings))
		return -EINVAL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->engine = engine;
	g->farm = *farm;
	g->hooks = *hooks;
	g->own.lease_usec = settings->lease_usec;
	g->margin_usec = settings->margin_usec;
	g->rules.fence_tells = hooks->fence != NULL;
	g->rules.fence_wait_usec = settings->fence_wait_usec;
	g->identity = strdup(settings->identity);
	(void)snprintf(g->boot, sizeof(g->boot), "%s", settings->boot);
	if (!g->identity || known_init(&g->known, settings->prefix, settings->name) < 0) {
		gateway_free(g);
		return -ENOMEM;
	}
	*ret = g;
	return 0;
}

void gateway_free(struct gateway *g)
{
	struct request *request;

	while ((request = g->requests)) {
		g->requests = request->next;
		request_free(request);
	}
	known_clear(&g->known);
	free(g->identity);
	free(g);
}
