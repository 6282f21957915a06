/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * probe.h: a node under check. Everything that a pass keeps of a node is here,
 * small and of fixed size, and was allocated before the pass began.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scoreboard.h"

struct checkup;
struct conversation;

/* The names are LVSmon's. */
enum probe_state {
	PROBE_NAME,      /* nothing can be done before its name is answered */
	PROBE_CONNECT,   /* in the pass's line of probes to be begun */
	PROBE_CONRESULT, /* under way: has a deadline, and a descriptor in epoll or a source with news of it; so have the next two */
	PROBE_QUERY,     /* connected, and sending */
	PROBE_RECV,      /* connected, and waiting for the node's words */
	PROBE_WAIT,      /* has failed; the deadline is the time of the next try */
	PROBE_DONE,      /* nothing to be done in this pass, or nothing any more */
};

struct probe {
	char *name;                      /* host:port */
	char *host;                      /* the name to be resolved; NULL: the node has a numeric address */
	const struct checkup *checkup;   /* its check= */
	struct score_address *addresses; /* room for at least n_addresses */
	struct conversation *talk;       /* while a check that talks is under way */
	void *work;                      /* what any other check keeps while under way, freed by its stop() */
	struct probe *next;              /* in the line */
	uint64_t deadline_usec;          /* CLOCK_MONOTONIC */
	uint64_t begun_usec;             /* the present try */
	uint64_t work_usec;              /* how long the node worked for it; 0: not known */
	size_t timer;                    /* where timers.c has it */
	uint32_t id;                     /* in the scoreboard */
	uint32_t events, watched;        /* epoll events: wanted by the check, and set up in epoll */
	uint32_t failures;               /* in this pass, in a row */
	uint32_t owed;                   /* failures of which the scoreboard has not been told yet */
	int fd;                          /* -1: none */
	int error;                       /* the errno that tells most about why it cannot connect */
	enum node_reason reason;         /* why this try failed */
	enum probe_state state;
	uint16_t port;
	uint16_t connect_port;           /* where the present try connects to; 0: its addresses' own */
	enum proxy_version proxy;           /* check-proxy= */
	uint8_t n_addresses, address;    /* how many, and the index of the address that is being tried */
	uint8_t fault;                   /* what error says: connect.c's */
	bool down;                       /* BN_DOWN as last seen */
	bool was_full;                   /* no slot was free when its check was due */
	bool spared;                     /* was not asked, as the node is busy serving */
	bool unresolved;                 /* down because its name did not resolve */
	bool naming;                     /* its name has not been answered yet in this pass */
	bool moved;                      /* its addresses have changed since the present try began */
	char detail[NODE_DETAIL_MAX + 1]; /* the check's own words, may be empty */
};
