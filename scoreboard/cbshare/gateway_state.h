/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * gateway_state.h: what a gateway remembers between its turns, for the files that
 * are the gateway: gateway.c decides what is asked of the engine, gateway_heartbeat.c
 * when and what this gateway says of itself, gateway_news.c what is told, and
 * gateway_status.c how it stands.
 */

#include "local.h"
#include "plan.h"
#include "request.h"

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
	char boot[BOOT_MAX + 1];
	uint64_t margin_usec;

	enum state state;
	bool joined;                 /* it was settled once: the farm's shares are this program's */
	uint64_t round;              /* requests of former rounds count no more, beyond what they say of keys */
	struct request *requests;
	bool pending[REQUEST_GOODBYE + 1]; /* such a request of this round is under way */
	uint64_t epoch;              /* the revision of the latest settlement's commit */
	uint64_t retry_usec;         /* not before this is a request repeated */
	uint64_t retry_span;
	unsigned refused;            /* moves in a row */
	uint64_t refused_newest;     /* what was known of the engine when the latest of them was asked for */
	bool watching;
	bool name_taken;             /* that another program is the gateway of this name was told */

	uint64_t lease_usec;         /* as the farm has it */
	uint64_t promised_usec;      /* as the engine's answers have it */
	bool lapsed;                 /* that was told */
	bool over_share;             /* the lease that was found is to end: it is not of this gateway's shares */

	struct heartbeat said;       /* the latest heartbeat that was sent, */
	uint64_t said_usec;          /* and when */
	bool said_any;
	uint64_t beats_usec;         /* rises by HEARTBEAT_USEC with each heartbeat: bounds their rate, see gateway_heartbeat_due() */
	bool lowered;                /* a limit fell in this turn: its slots may change hands in the next */
};

/* This gateway among its peers. */
static inline struct peer *gateway_self(struct gateway *g)
{
	return &g->known.peers[0];
}
