/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * known.h: what a gateway knows of the engine, each key at the newest revision that
 * any answer or change has shown, and beside it what it knows of its own nodes.
 * Answers may come in any order: an older revision never replaces a newer one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "gateway.h"
#include "targets.h"
#include "values.h"

#define WINDOW 6u                 /* counts of ended connections that are kept of a node */
#define LEVELS 8u                 /* former levels that are kept of a node */
#define NO_LIMIT UINT32_MAX       /* a share that was never set */

/* Another gateway; or this gateway, which is always the first. */
struct peer {
	char name[GATEWAY_NAME_MAX + 1]; /* empty: a free place */
	bool present;                /* it has a heartbeat, */
	bool readable;               /* which is valid */
	bool bad;                    /* that it is not valid was noted */
	uint64_t revision;           /* of the heartbeat, or of its deletion; 0: there never was any */
	uint64_t epoch;              /* the revision of its epoch; 0: it has none */
	struct heartbeat said;
	bool spoke;                  /* revision has changed since the latest turn */
	uint64_t heard_usec;         /* when: the time of the first turn that knew of it */
	uint64_t silent_revision;    /* its silence after this heartbeat was told, 0: it has ended; */
	uint64_t fenced_revision;    /* and it was fenced after this heartbeat */
	uint64_t aged_revision;      /* after this heartbeat it got a slot by the age rule */
	bool other_list;             /* that its list differs was told */
	bool told;                   /* that it is there was told */
};

/* What this gateway's own scoreboard says of a node, and what is to be done about it. */
struct local {
	bool here;                   /* the scoreboard has it */
	bool usable, spare, held, leaving; /* as in struct gateway_node */
	uint64_t useless_usec;       /* since when this gateway has no use for the node; 0: it has */
	uint32_t id, cores, busy;
	uint64_t ended;
	uint32_t limit;              /* its share as the scoreboard has it; NO_LIMIT */
	uint32_t offer;              /* so many slots of the share are not to be used any more */
	uint32_t shed;               /* of these, so many go back to the rest */
	uint32_t offered;            /* offer as it was in the latest turn */
	uint32_t accounted;          /* the share as it was told last */
	/* The node has had at most level connections since level was set, by the limit and by what was seen. former has the higher
	 * levels before it, the highest first, each with the time until which the node may have had so many. A level that a turn
	 * sees or sets gets the time of the next turn: a process may be stopped between reading the clock and looking. */
	struct {
		uint64_t until_usec;     /* 0: until the next turn */
		uint32_t level;
	} former[LEVELS];
	unsigned n_former;
	uint32_t level;
	struct {
		uint64_t usec, ended;
	} window[WINDOW];            /* how many connections had ended by when; usec 0: unused */
	unsigned newest;
	uint64_t ended_before;       /* the count of the latest turn, which has no time yet */
	bool counted;                /* ended_before was counted */
};

struct known_node {
	char *name;
	bool present, readable;      /* as in struct peer */
	uint64_t revision;
	bool changed;                /* revision has changed since the latest turn */
	uint64_t seen_usec;          /* the turn after that */
	uint32_t cores;
	uint32_t shares[GATEWAYS_MAX]; /* by peer */
	uint32_t useless;            /* a bit for each peer that has no use for the node now */
	unsigned from;               /* the peer from which this gateway's latest gain came; 0: not known */
	struct local local;
};

/* The peer's bit in a node's useless. */
static inline uint32_t peer_bit(size_t peer)
{
	return UINT32_C(1) << peer;
}

struct known {
	char *prefix;
	struct peer peers[GATEWAYS_MAX];
	struct known_node **nodes;   /* in the order of their names */
	size_t n_nodes, room;
	struct known_node **listed;  /* the nodes in the order of the scoreboard's list, as they were looked at last */
	size_t n_listed, listed_room;
	char *bad;                   /* the latest key with a value that cannot be read; NULL: none since this was told */
	bool complete;               /* memory was enough to note everything; false: read anew */
	uint64_t newest;             /* the newest revision that anything has shown */
	uint64_t life;               /* how often all was forgotten: an answer to what was asked before says nothing */
	bool went_back;              /* the engine has lost changes that this gateway knows, as if restored from a backup */
};

/* prefix and name are copied. 0 or -ENOMEM. */
int known_init(struct known *k, const char *prefix, const char *name);

/* Frees what it holds. */
void known_clear(struct known *k);

/* Takes in the answer to a read of all keys; if it shows that the engine went back, notes only that. */
void known_read(struct known *k, const struct engine_value *values, size_t n, uint64_t revision);

/* Notes that the engine is at that revision. newest_then: k->newest when that was asked. An engine that is behind it went
 * back. */
void known_at(struct known *k, uint64_t revision, uint64_t newest_then);

/* Forgets all that the engine has said, so that the next read begins anew. */
void known_forget(struct known *k);

/* Takes in changes. */
void known_change(struct known *k, const struct engine_value *values, size_t n);

/* A turn begins: what has changed since the latest turn is as old as this moment. */
void known_stamp(struct known *k, uint64_t now_usec);

/* Finds the node of that name, or makes a node that the engine does not have. NULL: no memory. */
struct known_node *known_node(struct known *k, const char *name);

/* As known_node(), of the node at that place of the scoreboard's list: quicker if the same node was at that place before. */
struct known_node *known_listed(struct known *k, size_t place, const char *name);

/* Forgets nodes that neither the engine nor the scoreboard has. */
void known_purge(struct known *k);

/* The cores of a node that are no gateway's. 0 for a node that the engine does not have. */
uint32_t known_rest(const struct known_node *node);

/* The sum of its shares, which may be above its cores. */
uint64_t known_sum(const struct known_node *node);

/* The key of a node, or of a peer: kind 'n', 'g' or 'e'. The caller frees it. NULL: no memory. */
char *known_key(const struct known *k, char kind, const char *name);
