/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * gateway_news.c: node->local.accounted is the share that was told last. A share that
 * rises came from the gateway by which it fell, if that is known; a share that falls
 * without a move of this gateway was taken while its lease was over.
 */

#include "gateway_news.h"

#include <stdlib.h>

static const char *const words[GATEWAY_EVENT_MAX_] = {
	[GATEWAY_JOINED] = "joined", [GATEWAY_TOOK] = "took", [GATEWAY_GAVE] = "gave", [GATEWAY_GOT] = "got",
	[GATEWAY_SHED] = "shed", [GATEWAY_LOST] = "lost", [GATEWAY_RECLAIMED] = "reclaimed", [GATEWAY_CAME] = "came",
	[GATEWAY_WENT] = "went", [GATEWAY_SILENT] = "silent", [GATEWAY_SPEAKS] = "speaks", [GATEWAY_LAPSED] = "lapsed",
	[GATEWAY_RENEWED] = "renewed", [GATEWAY_UNSETTLED] = "unsettled", [GATEWAY_LIST_DIFFERS] = "list-differs",
	[GATEWAY_LIST_AGREES] = "list-agrees",
	[GATEWAY_NAME_TAKEN] = "name-taken", [GATEWAY_NAME_HELD] = "name-held", [GATEWAY_BAD_VALUE] = "bad-value",
	[GATEWAY_WENT_BACK] = "went-back", [GATEWAY_LEFT] = "left",
};

const char *gateway_event_word(enum gateway_event_kind kind)
{
	return words[kind];
}

void gateway_tell(struct gateway *g, const struct gateway_event *event)
{
	if (g->hooks.told)
		g->hooks.told(g->hooks.context, event);
}

void gateway_tell_of(struct gateway *g, enum gateway_event_kind kind, const char *peer)
{
	gateway_tell(g, &(struct gateway_event){ .kind = kind, .peer = peer });
}

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
		event->slots += gained ? node->shares[0] - node->local.accounted : node->local.accounted - node->shares[0];
		event->node = event->nodes++ == 0 ? node->name : event->node;
		node->local.accounted = node->shares[0];
	}
	for (i = 0; i < GATEWAYS_MAX; i++) {
		events[i].kind = GATEWAY_GOT;
		events[i].peer = i > 0 ? g->known.peers[i].name : NULL;
		if (events[i].slots > 0)
			gateway_tell(g, &events[i]);
	}
	if (losses.slots > 0)
		gateway_tell(g, &losses);
}

static void tell_presence(struct gateway *g, struct peer *peer)
{
	bool other = peer->present && peer->readable && peer->said.list != g->own.list;

	if (peer->told != peer->present)
		gateway_tell_of(g, peer->present ? GATEWAY_CAME : GATEWAY_WENT, peer->name);
	peer->told = peer->present;
	if (peer->present && peer->readable && peer->other_list != other)
		gateway_tell_of(g, other ? GATEWAY_LIST_DIFFERS : GATEWAY_LIST_AGREES, peer->name);
	peer->other_list = other;
}

static void tell_silence(struct gateway *g, struct peer *peer)
{
	if (peer->silent_revision > 0 && peer->silent_revision != peer->revision) {
		peer->silent_revision = 0;
		if (peer->present)
			gateway_tell_of(g, GATEWAY_SPEAKS, peer->name);
	}
	if (!peer->present || peer->silent_revision == peer->revision || !peer_is_silent(peer, &g->own))
		return;
	peer->silent_revision = peer->revision;
	gateway_tell_of(g, GATEWAY_SILENT, peer->name);
	if (g->hooks.fence)
		g->hooks.fence(g->hooks.context, peer->name);
}

void gateway_tell_news(struct gateway *g)
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
		gateway_tell_of(g, GATEWAY_BAD_VALUE, g->known.bad);
		free(g->known.bad);
		g->known.bad = NULL;
	}
}
