/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * gateway.h: the protocol by which a gateway leases shares of each node's cores
 * from an engine, and gives them to gateways that need them more.
 *
 * It is pure: it has no clock, no descriptor, no file, no randomness. It gets the
 * engine (engine.h), the gateway's own farm as a few calls, and the time with each
 * turn. All times are microseconds of CLOCK_BOOTTIME; lengths are microseconds too.
 *
 * The program's loop is
 *     next = gateway_turn(g, now_boottime());
 *     wait for the engine, for a change of the scoreboard if it can tell, or until next
 * and gateway_turn() must follow each turn of the engine: callbacks of the engine
 * only take notes. Only gateway_turn() calls the farm and the hooks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "targets.h"

#define GATEWAY_NAME_MAX 63u      /* longest name of a gateway, without its NUL */
#define GATEWAY_REST_USEC 306000u /* 300 ms and 2 %: a slot goes to another gateway when no connection has used it for so long */

/* ---- what the core asks of its farm ---- */

/* A node as the gateway's own scoreboard has it. */
struct gateway_node {
	const char *name;            /* valid until the next look */
	uint32_t id;                 /* what set_share gets */
	uint32_t cores;              /* of its list */
	uint32_t share;              /* as score_set_share() set it; UINT32_MAX: never */
	uint32_t busy;
	uint64_t ended;              /* connections that have ended at it, ever; only differences count */
	bool usable;                 /* it may get connections: neither down, nor held, nor spare */
	bool held;                   /* by an administrator: no connection tries it */
	bool spare;                  /* a backup, which gets none as long as another node is usable */
	bool leaving;                /* it is in the list no more and waits for the end of its connections */
};

struct gateway_look {
	const struct gateway_node *nodes; /* in any order, but best the same each time; valid until the next look */
	size_t n_nodes;
	uint64_t waiting;            /* connections that wait and would have a slot if there were more cores */
	uint64_t age_usec;           /* for how long the oldest waiter has waited; 0: waiting is 0 */
	uint64_t lease_usec;         /* as score_set_lease() set it; 0: none yet */
};

struct gateway_farm {
	void *context;
	/* How the farm is now. 0 or -errno. */
	int (*look)(void *context, struct gateway_look *ret);
	/* Sets a node's share. *ret_busy is read in the same section. 0; -ENOENT: the node has gone; or -errno. */
	int (*set_share)(void *context, uint32_t id, uint32_t share, uint32_t *ret_busy);
	/* 0 or -errno. */
	int (*set_lease)(void *context, uint64_t until_usec);
};

/* ---- what the core tells ---- */

enum gateway_event_kind {
	GATEWAY_JOINED,              /* slots: the shares that were this gateway's already */
	GATEWAY_TOOK,                /* slots of the rest of all nodes together; now they are this gateway's */
	GATEWAY_GAVE,                /* slots went to the peer; NULL: it is not known to which, or they went back to the rest */
	GATEWAY_GOT,                 /* slots came from the peer; NULL: from several gateways, or it is not known from where */
	GATEWAY_SHED,                /* slots went back to the rest: the node has fewer cores or has gone, or this gateway leaves */
	GATEWAY_LOST,                /* this gateway's lease was over, and others have taken its slots */
	GATEWAY_RECLAIMED,           /* slots of the dead peer went back to the rest */
	GATEWAY_CAME,                /* the peer is there */
	GATEWAY_WENT,                /* the peer has left in order */
	GATEWAY_SILENT,              /* the peer has said nothing for its lease; its slots are free after the fence */
	GATEWAY_SPEAKS,              /* the peer that was silent has said something again: no fence is needed */
	GATEWAY_LAPSED,              /* the lease is over: close all connections now */
	GATEWAY_RENEWED,             /* it is valid again after that */
	GATEWAY_UNSETTLED,           /* no answer to a commit: shares stay lowered until it is settled */
	GATEWAY_LIST_DIFFERS,        /* the peer has another node list, or other cores; told again when that changes */
	GATEWAY_LIST_AGREES,         /* no more */
	GATEWAY_NAME_TAKEN,          /* another machine is the gateway of this name; this machine waits until that is silent */
	GATEWAY_NAME_HELD,           /* so is this machine before its latest start, or a copy of it; this gateway waits as well */
	GATEWAY_BAD_VALUE,           /* a key of the engine has a value that cannot be read: peer is the key */
	GATEWAY_WENT_BACK,           /* the engine has lost changes; this gateway begins anew when all leases are over */
	GATEWAY_LEFT,                /* the last of gateway_leave() */
	GATEWAY_EVENT_MAX_,
};

struct gateway_event {
	enum gateway_event_kind kind;
	const char *peer;            /* another gateway; NULL where no other takes part */
	uint64_t slots;              /* how many cores changed hands */
	size_t nodes;                /* of how many nodes */
	const char *node;            /* the first of them; NULL if there is none */
};

/* The kind as a word for logs: "took", "gave", .... Never NULL. */
const char *gateway_event_word(enum gateway_event_kind kind);

struct gateway_hooks {
	void *context;
	/* Tells what has happened. Texts are valid during the call. */
	void (*told)(void *context, const struct gateway_event *event);
	/* The peer is silent: make sure that it has no connection to any node, and call gateway_fenced() once that is so. Called
	 * once for each silence, which ends with the event SPEAKS, WENT or RECLAIMED. NULL: a peer counts as fenced after
	 * fence_wait_usec more of silence. */
	void (*fence)(void *context, const char *peer);
};

/* ---- the gateway ---- */

struct gateway_settings {
	const char *prefix;          /* of all keys: "/corebalance/FARM/" */
	const char *name;            /* this gateway's: letters, digits, and . _ - */
	const char *identity;        /* the same after a restart of the program, another on each machine and for each
				      * scoreboard; at most 511 bytes */
	const char *boot;            /* another after each start of the machine; empty: not known; at most 63 bytes */
	uint64_t lease_usec;         /* L: a gateway that has said nothing for so long is dead */
	uint64_t margin_usec;        /* so long before that this gateway stops to give out slots; below lease_usec */
	uint64_t fence_wait_usec;    /* see struct gateway_hooks */
};

struct gateway;

/* A gateway that has done nothing yet. The settings' texts, farm and hooks are copied; the engine, and what the contexts
 * point to, must live as long as the gateway. The caller closes the engine before it frees the gateway: no callback may
 * find the gateway gone. 0 and *ret; -EINVAL: a setting is not valid; or -ENOMEM. */
int gateway_new(const struct gateway_settings *settings, struct engine *engine, const struct gateway_farm *farm,
		const struct gateway_hooks *hooks, struct gateway **ret);

/* Frees the gateway. Shares and lease stay as they are. */
void gateway_free(struct gateway *g);

/* Does what can be done now. *ret_next: when to call again if nothing happens before. now_usec never falls. 0; or -errno of
 * the farm: nothing is lost, and the caller may call again. Before the first turn that reads the engine, the farm's shares
 * are left as they are if it has a lease; if it has none, it gets a lease that is over already. */
int gateway_turn(struct gateway *g, uint64_t now_usec, uint64_t *ret_next);

/* The peer for which the hook fence was called has no connection to any node any more. Nothing happens if the peer has spoken
 * since. */
void gateway_fenced(struct gateway *g, const char *peer);

/* From now on no slot is given out; each share goes back as its connections end, and the gateway's key goes last. Then
 * gateway_has_left() is true, and turns do nothing more. Stopping without it keeps the shares until the lease is over, for a
 * program that is started again soon. */
void gateway_leave(struct gateway *g);

/* Whether the gateway has left: its keys have gone, and it may be freed. */
bool gateway_has_left(const struct gateway *g);

/* ---- how it stands, for pages and logs ---- */

struct gateway_peer {
	const char *name;
	bool self;
	bool silent;                 /* it has said nothing for its lease */
	bool leaving;
	bool same_list;
	uint64_t shares;             /* of the cores of all nodes */
	uint64_t busy, waiting;
	uint64_t age_usec;           /* of its oldest waiter, when it said so */
	uint64_t said_usec;          /* when its latest word came; for self, when it was sent */
};

struct gateway_status {
	bool settled;                /* the outcome of every commit is known */
	uint64_t lease_usec;         /* until when the shares are this gateway's; 0: never yet */
	uint64_t cores;              /* of all nodes that the engine has */
	uint64_t rest;               /* of these, so many are no gateway's */
	size_t nodes;
	size_t n_peers;              /* this gateway is the first */
	struct gateway_peer peers[GATEWAYS_MAX];
};

/* Names are valid until the next turn. */
void gateway_status(const struct gateway *g, struct gateway_status *ret);
