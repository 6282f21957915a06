/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * plan.h: the next commit that moves shares, if there is anything to move. Each plan is of one kind.
 */

#include "balance.h"

#define PLAN_NODES 60u            /* of one commit */

struct plan_edit {
	struct known_node *node;     /* as it is known now: its revision is compared */
	bool remove;                 /* the key goes */
	uint32_t cores;
	uint32_t shares[GATEWAYS_MAX];
	uint32_t useless;
};

struct plan {
	enum gateway_event_kind kind; /* TOOK, GAVE, SHED or RECLAIMED */
	size_t peer;                 /* RECLAIMED: the dead peer; GAVE: the peer that gets the slots */
	uint64_t slots;              /* that change hands */
	size_t slot_nodes;           /* of so many nodes */
	size_t n;                    /* 0: nothing to do; or a dead peer has no shares, and only its heartbeat goes */
	struct plan_edit edits[PLAN_NODES];
};

struct plan_rules {
	bool said_list;              /* this gateway has said which list it has, */
	bool settled_list;           /* and every gateway that is there has the same list */
	bool fence_tells;            /* peer.fenced_revision says that a peer was fenced; else time does */
	uint64_t fence_wait_usec;    /* so long after its silence */
};

/* When the silent peer's slots may be taken, if that is known beforehand; UINT64_MAX: a fence must be heard of first. */
uint64_t plan_reclaim_usec(const struct peer *peer, const struct own *own, const struct plan_rules *rules);

/* Slots of the node's offer that have rested, so that they can change hands now. */
uint32_t plan_rested(const struct known_node *node, const struct own *own);

/*
 * The most urgent plan: what a dead peer had goes to the rest; the engine is told of nodes and cores that only the list
 * has; others are told for which nodes this gateway has no use, or has use again; offered slots change hands; this gateway takes
 * of the rest what it lacks, what no other wants, and cores with which to try nodes that are down. More nodes than one commit
 * takes are another plan's. Returns whether there is a plan.
 */
bool plan_next(struct plan *plan, const struct known *k, const struct balance *b, const struct own *own,
	       const struct plan_rules *rules);
