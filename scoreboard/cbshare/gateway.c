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
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "local.h"
#include "plan.h"
#include "request.h"

#define HEARTBEAT_USEC 50000u          /* a heartbeat in so much time, on an average, */
#define HEARTBEAT_BURST 4u             /* and so many at once after a quiet while: a load that moves is told as it grows */
#define AGE_STEP_USEC UINT64_C(500000) /* the age of the oldest waiter is told when it is so far from what others think */
#define DEMAND_PART 32u                /* demand is told when it has changed by 2 and so small a part */
#define LOOK_USEC 20000u               /* how often the farm is looked at, */
#define LOOK_NODE_USEC 4u              /* and so much more seldom for each node, */
#define LOOK_SOON_USEC 10000u          /* and while slots are to change hands */
#define RETRY_FIRST_USEC 50000u        /* the wait after a request that failed, which doubles */
#define RETRY_LAST_USEC 1000000u
#define REFUSED_MAX 2u                 /* so many refusals in a row, and all keys are read anew */

enum state {
	STATE_FIND,                  /* reads what the engine has of this gateway */
	STATE_SETTLE,                /* writes epoch and heartbeat: what was under way before is void */
	STATE_CHECK,                 /* reads its shares */
	STATE_ACTIVE,
	STATE_LEFT,
};

struct gateway {
	struct known known;
	struct own own;
	struct balance balance;
	struct plan_rules rules;
	struct engine *engine;
	struct gateway_farm farm;
	struct gateway_hooks hooks;
	char *identity;
	uint64_t margin_usec;

	enum state state;
	bool joined;                 /* it was settled once: the farm's shares are this program's */
	uint64_t round;              /* requests of former rounds count no more, beyond what they say of keys */
	struct request *requests;
	bool pending[REQUEST_GOODBYE + 1]; /* such a request of this round is under way */
	uint64_t settle_usec, epoch; /* when the latest heartbeat of a settlement was sent, and its revision */
	uint64_t retry_usec;         /* not before this is a request repeated */
	uint64_t retry_span;
	unsigned refused;            /* moves in a row */
	uint64_t refused_newest;     /* what was known of the engine when the latest of them was asked for */
	bool watching;
	bool name_taken;             /* that was told */

	uint64_t lease_usec;         /* as the farm has it */
	uint64_t promised_usec;      /* as the engine's answers have it */
	bool lapsed;                 /* that was told */
	bool over_share;             /* the lease that was found is to end: it is not of this gateway's shares */

	struct heartbeat said;       /* the latest heartbeat that was sent, */
	uint64_t said_usec;          /* and when */
	bool said_any;
	uint64_t beats_usec;         /* all heartbeats that were sent are on an average until then */
	bool lowered;                /* a limit fell in this turn: its slots may change hands in the next */
};

static struct peer *self(struct gateway *g)
{
	return &g->known.peers[0];
}

/* ---- telling ---- */

static const char *const words[GATEWAY_EVENT_MAX_] = {
	[GATEWAY_JOINED] = "joined", [GATEWAY_TOOK] = "took", [GATEWAY_GAVE] = "gave", [GATEWAY_GOT] = "got",
	[GATEWAY_SHED] = "shed", [GATEWAY_LOST] = "lost", [GATEWAY_RECLAIMED] = "reclaimed", [GATEWAY_CAME] = "came",
	[GATEWAY_WENT] = "went", [GATEWAY_SILENT] = "silent", [GATEWAY_LAPSED] = "lapsed", [GATEWAY_RENEWED] = "renewed",
	[GATEWAY_UNSETTLED] = "unsettled", [GATEWAY_LIST_DIFFERS] = "list-differs", [GATEWAY_LIST_AGREES] = "list-agrees",
	[GATEWAY_NAME_TAKEN] = "name-taken", [GATEWAY_BAD_VALUE] = "bad-value", [GATEWAY_WENT_BACK] = "went-back",
	[GATEWAY_LEFT] = "left",
};

const char *gateway_event_word(enum gateway_event_kind kind)
{
	return words[kind];
}

static void tell(struct gateway *g, const struct gateway_event *event)
{
	if (g->hooks.told)
		g->hooks.told(g->hooks.context, event);
}

static void tell_of(struct gateway *g, enum gateway_event_kind kind, const char *peer)
{
	tell(g, &(struct gateway_event){ .kind = kind, .peer = peer });
}

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

/* Every commit but a settlement is void once this gateway has written its epoch again. */
static void compare_epoch(struct gateway *g, struct request *request)
{
	request_compare(request, known_key(&g->known, 'e', self(g)->name), self(g)->epoch);
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

static struct heartbeat heartbeat_now(const struct gateway *g)
{
	struct heartbeat h = { .sequence = g->said.sequence + 1, .lease_usec = g->own.lease_usec, .busy = g->own.busy,
			       .waiting = g->own.waiting, .age_usec = g->own.age_usec, .list = g->own.list,
			       .leaving = g->own.leaving };

	memcpy(h.identity, g->identity, strlen(g->identity) + 1);
	return h;
}

static void put_heartbeat(struct gateway *g, struct request *request)
{
	struct heartbeat h = heartbeat_now(g);
	char *text = NULL;

	if (heartbeat_format(&h, &text) < 0)
		request->complete = false;
	request_put(request, known_key(&g->known, 'g', self(g)->name), text);
	g->said = h;
	g->said_usec = g->own.now_usec;
	g->beats_usec = (g->beats_usec > g->said_usec ? g->beats_usec : g->said_usec) + HEARTBEAT_USEC;
	g->said_any = true;
}

static uint64_t own_shares(const struct gateway *g)
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

static bool has_company(const struct gateway *g)
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
	uint64_t thought = said->age_usec + (own->now_usec - g->said_usec), shares = own_shares(g);

	if (!g->said_any || said->leaving != own->leaving || said->list != own->list)
		return true;
	if (!has_company(g))
		return false;
	return (said->waiting > 0) != (own->waiting > 0) || (said->busy >= shares) != (own->busy >= shares) ||
	       distance(said->busy + said->waiting, own->busy + own->waiting) >= 2 + (own->busy + own->waiting) / DEMAND_PART ||
	       (own->waiting > 0 && distance(thought, own->age_usec) > AGE_STEP_USEC);
}

static uint64_t heartbeat_due(const struct gateway *g)
{
	const uint64_t burst_usec = (HEARTBEAT_BURST - 1) * HEARTBEAT_USEC;

	if (!has_news(g))
		return g->said_usec + g->own.lease_usec / 4;
	return g->beats_usec > burst_usec ? g->beats_usec - burst_usec : 0;
}

static void renew(struct gateway *g)
{
	struct request *request;

	if (g->pending[REQUEST_RENEW] || g->own.now_usec < heartbeat_due(g))
		return;
	request = prepare(g, REQUEST_RENEW);
	if (request) {
		compare_heartbeat(g, request, self(g));
		compare_epoch(g, request);
		put_heartbeat(g, request);
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

/* Another machine says that it is the gateway of this name, and may have a lease. */
static bool is_name_taken(struct gateway *g)
{
	const struct peer *peer = self(g);

	return peer->present && peer->readable && strcmp(peer->said.identity, g->identity) != 0 &&
	       g->own.now_usec < plan_reclaim_usec(peer, &g->own, &g->rules);
}

static void settle(struct gateway *g)
{
	struct request *request;

	if (is_name_taken(g)) {
		if (!g->name_taken)
			tell_of(g, GATEWAY_NAME_TAKEN, self(g)->name);
		g->name_taken = true;
		g->state = STATE_FIND;
		later(g);
		return;
	}
	g->name_taken = false;
	request = prepare(g, REQUEST_SETTLE);
	if (request) {
		compare_heartbeat(g, request, self(g));
		request_put(request, known_key(&g->known, 'e', self(g)->name), strdup("{}"));
		put_heartbeat(g, request);
	}
	(void)send_request(g, request);
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

/* All that was ever asked before this settlement is applied, or never will be; so the shares that were read are exact. */
static void activate(struct gateway *g, const struct request *read)
{
	uint64_t before = 0, now = own_shares(g);
	size_t i;

	for (i = 0; i < g->known.n_nodes; i++)
		before += g->known.nodes[i]->local.accounted;
	if (before > now && g->lapsed)
		tell(g, &(struct gateway_event){ .kind = GATEWAY_LOST, .slots = before - now });
	if (!g->joined || before > now || now > before)
		tell(g, &(struct gateway_event){ .kind = GATEWAY_JOINED, .slots = now, .nodes = g->known.n_nodes });
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
	} else if (g->state == STATE_CHECK && (self(g)->epoch != g->epoch || self(g)->revision != g->epoch)) {
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
		tell_of(g, GATEWAY_UNSETTLED, NULL);
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
			tell(g, &request->event);
	} else if (current && request->outcome == ENGINE_UNKNOWN) {
		tell_of(g, GATEWAY_UNSETTLED, NULL);
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
		tell_of(g, GATEWAY_LEFT, NULL);
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

/* Whether every gateway that is there has this gateway's list, and has heard of it. */
static bool is_list_settled(const struct gateway *g)
{
	size_t i;

	for (i = 1; i < GATEWAYS_MAX; i++)
		if (g->known.peers[i].present && (!g->known.peers[i].readable || g->known.peers[i].said.list != g->own.list))
			return false;
	return g->said_any && g->said.list == g->own.list;
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
	g->rules.settled_list = is_list_settled(g);
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
	return g->own.leaving && own_shares(g) == 0 && !g->pending[REQUEST_MOVE] && !g->pending[REQUEST_RENEW];
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
	compare_heartbeat(g, request, self(g));
	compare_epoch(g, request);
	request_put(request, known_key(&g->known, 'g', self(g)->name), NULL);
	request_put(request, known_key(&g->known, 'e', self(g)->name), NULL);
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
	tell_of(g, GATEWAY_WENT_BACK, NULL);
	g->lease_usec = 1;
	g->promised_usec = 0;
	known_forget(&g->known);
	reset_offers(g);
	unsettle(g);
	g->retry_usec = g->own.now_usec + g->own.lease_usec + g->own.lease_usec / 50;
	g->watching = g->said_any = false;
	return 0;
}

/* ---- news ---- */

static void tell_gains(struct gateway *g)
{
	struct gateway_event events[GATEWAYS_MAX] = { { .kind = GATEWAY_GOT } };
	struct gateway_event losses = { .kind = GATEWAY_LOST };
	size_t i;

	for (i = 0; i < g->known.n_nodes; i++) {
		struct known_node *node = g->known.nodes[i];
		bool gained = node->shares[0] > node->local.accounted;
		struct gateway_event *event = gained ? &events[node->from] : &losses;

		if (node->shares[0] == node->local.accounted)
			continue;
		event->slots += distance(node->shares[0], node->local.accounted);
		event->node = event->nodes++ == 0 ? node->name : event->node;
		node->local.accounted = node->shares[0];
	}
	for (i = 0; i < GATEWAYS_MAX; i++) {
		events[i].kind = GATEWAY_GOT;
		events[i].peer = i > 0 ? g->known.peers[i].name : NULL;
		if (events[i].slots > 0)
			tell(g, &events[i]);
	}
	if (losses.slots > 0)
		tell(g, &losses);
}

static void tell_presence(struct gateway *g, struct peer *peer)
{
	bool other = peer->present && peer->readable && peer->said.list != g->own.list;

	if (peer->told != peer->present)
		tell_of(g, peer->present ? GATEWAY_CAME : GATEWAY_WENT, peer->name);
	peer->told = peer->present;
	if (peer->present && peer->readable && peer->other_list != other)
		tell_of(g, other ? GATEWAY_LIST_DIFFERS : GATEWAY_LIST_AGREES, peer->name);
	peer->other_list = other;
}

static void tell_silence(struct gateway *g, struct peer *peer)
{
	if (!peer->present || peer->silent_revision == peer->revision || !peer_is_silent(peer, &g->own))
		return;
	peer->silent_revision = peer->revision;
	tell_of(g, GATEWAY_SILENT, peer->name);
	if (g->hooks.fence)
		g->hooks.fence(g->hooks.context, peer->name);
}

static void tell_news(struct gateway *g)
{
	size_t i;

	/* A change may be told before the commit that made it is answered. */
	if (!g->pending[REQUEST_MOVE])
		tell_gains(g);
	for (i = 1; i < GATEWAYS_MAX; i++) {
		if (g->known.peers[i].name[0] == '\0')
			continue;
		tell_presence(g, &g->known.peers[i]);
		tell_silence(g, &g->known.peers[i]);
	}
	if (g->known.bad) {
		tell_of(g, GATEWAY_BAD_VALUE, g->known.bad);
		free(g->known.bad);
		g->known.bad = NULL;
	}
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

static void lapse(struct gateway *g)
{
	if (g->own.now_usec < g->lease_usec || g->lapsed)
		return;
	g->lapsed = true;
	tell_of(g, GATEWAY_LAPSED, NULL);
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
		tell_of(g, GATEWAY_RENEWED, NULL);
	}
	return 0;
}

static int be_active(struct gateway *g)
{
	bool anew = !g->watching || g->refused >= REFUSED_MAX || !g->known.complete;

	tell_news(g);
	if (may_go(g))
		return say_goodbye(g);
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
		settle(g);
	else
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
		next = earlier(next, heartbeat_due(g));
	if (g->retry_usec > now)
		next = earlier(next, g->retry_usec);
	for (i = 1; i < GATEWAYS_MAX; i++)
		if (g->known.peers[i].present && plan_reclaim_usec(&g->known.peers[i], &g->own, &g->rules) > now)
			next = earlier(next, plan_reclaim_usec(&g->known.peers[i], &g->own, &g->rules));
	return next;
}

int gateway_turn(struct gateway *g, uint64_t now_usec, uint64_t *ret_next)
{
	uint64_t lease;
	int r;

	g->own.now_usec = now_usec;
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
	       strlen(settings->identity) <= IDENTITY_MAX && settings->lease_usec <= LEASE_MAX_USEC &&
	       settings->margin_usec < settings->lease_usec && settings->fence_wait_usec <= LEASE_MAX_USEC;
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

/* ---- status ---- */

static struct gateway_peer peer_status(const struct gateway *g, size_t i)
{
	const struct peer *peer = &g->known.peers[i];
	struct gateway_peer p = { .name = peer->name, .self = i == 0, .said_usec = peer->heard_usec };
	size_t j;

	for (j = 0; j < g->known.n_nodes; j++)
		p.shares += g->known.nodes[j]->shares[i];
	p.silent = i == 0 ? g->lapsed : peer_is_silent(peer, &g->own);
	p.leaving = i == 0 ? g->own.leaving : peer->said.leaving;
	p.same_list = i == 0 || peer->said.list == g->own.list;
	p.busy = i == 0 ? g->own.busy : peer->said.busy;
	p.waiting = i == 0 ? g->own.waiting : peer->said.waiting;
	p.age_usec = i == 0 ? g->own.age_usec : peer->said.age_usec;
	if (i == 0)
		p.said_usec = g->said_usec;
	return p;
}

void gateway_status(const struct gateway *g, struct gateway_status *ret)
{
	size_t i;

	*ret = (struct gateway_status){ .settled = g->state == STATE_ACTIVE, .lease_usec = g->lease_usec };
	for (i = 0; i < g->known.n_nodes; i++) {
		const struct known_node *node = g->known.nodes[i];

		ret->nodes += node->present;
		ret->cores += node->present ? node->cores : 0;
		ret->rest += known_rest(node);
	}
	for (i = 0; i < GATEWAYS_MAX; i++)
		if (i == 0 || (g->known.peers[i].name[0] != '\0' && g->known.peers[i].present))
			ret->peers[ret->n_peers++] = peer_status(g, i);
}
