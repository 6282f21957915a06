/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * site.h: a gateway's machine: its clock, its scoreboard with connections and waiters,
 * and its process with the core under test.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbshare/gateway.h"
#include "store.h"

#define SITES_MAX 4u
#define NODES_MAX 130u            /* more than two commits have room for */
#define LEASE_USEC UINT64_C(3000000)
#define MARGIN_USEC UINT64_C(1000000) /* unless sites_margin_usec is less */
#define REST_USEC UINT64_C(300000) /* for so long a node may have a connection that its gateway has closed */
#define CONNECTIONS_MAX 64u
#define PEAKS_MAX 64u

enum site_fault {
	SITE_HIDES_BUSY = 1,         /* connections above the limit are not seen: shares are given before they have ended */
	SITE_HIDES_ENDS = 2,         /* nor is it seen that a connection has just ended */
	SITE_NO_LEASE = 4,           /* slots are given out without a lease */
	SITE_NO_FENCE = 8,           /* what is open when the lease ends stays open */
};

struct connection {
	bool open;
	unsigned node;
	uint64_t number;
};

/* How many connections a node had of one site, lately. */
struct peak {
	uint64_t usec;               /* since when */
	uint32_t busy;
};

struct node_at_site {
	bool listed;                 /* the list has it; else it goes when its last connection has ended */
	bool usable, spare, held;    /* held: where it is not usable, an administrator holds it */
	uint32_t cores;              /* of the list */
	uint32_t share;
	uint32_t busy;
	uint64_t ended;
	struct peak peaks[PEAKS_MAX]; /* falling; a ring would be more than is needed */
	unsigned n_peaks;
};

struct site {
	unsigned index;
	char name[16], identity[16]; /* of its gateway */
	/* the machine's clock: a simulated microsecond is rate / 2^20 of its microseconds */
	uint64_t offset, rate;
	unsigned boots;              /* how often it was started */
	struct way way;
	uint64_t lease_length_usec;  /* with which its process is started */
	/* the scoreboard */
	uint64_t lease_usec;
	struct node_at_site nodes[NODES_MAX];
	struct connection connections[CONNECTIONS_MAX];
	uint64_t numbers;
	uint64_t waiters[CONNECTIONS_MAX]; /* since when each has waited, oldest first */
	unsigned n_waiters, clients; /* so many clients come again and again */
	uint64_t job_usec;           /* the longest connection */
	/* the process */
	struct client *client;
	struct gateway *gateway;     /* NULL: no process */
	bool stopped;                /* it gets no processor until stopped_usec */
	uint64_t stopped_usec;
	uint64_t reads_usec;         /* until then it takes in what came while it was stopped, and has no turn */
	bool in_turn, dying;
	bool joined;                 /* it has told so */
	uint64_t turn_number;
	uint64_t births;
};

extern struct site sites[SITES_MAX];
extern unsigned n_sites, n_nodes;
extern uint32_t cores_of[NODES_MAX]; /* with which every list begins, and ends */
extern char names_of[NODES_MAX][16];
extern unsigned site_faults;
extern uint64_t events_told[GATEWAY_EVENT_MAX_];
extern bool calm_weather;            /* no process dies or stops by itself */
extern uint64_t sites_margin_usec;   /* of gateways that start from now on */
extern bool sites_fence;             /* gateways that start from now on have a fence, which takes a while; a gateway that is well
				      * must not be fenced */

/* Begins site number index, with that clock. */
void site_begin(struct site *site, unsigned index, uint64_t offset, uint64_t rate);

/* Ends the site, and frees what it holds. */
void site_end(struct site *site);

/* The site's clock at this moment. */
uint64_t site_clock(const struct site *site);

/* The world's time at which the site's clock shows clock_usec. */
uint64_t site_when(const struct site *site, uint64_t clock_usec);

/* The process starts. */
void site_start(struct site *site);

/* The process is killed. */
void site_kill(struct site *site);

/* The process stands still for so long. */
void site_stop(struct site *site, uint64_t usec);

/* The whole machine goes, with its connections, and starts again with a fresh scoreboard. */
void site_crash(struct site *site);

/* The site's list has the node from now on, with so many cores; with 0 it does not have it any more. */
void site_list(struct site *site, unsigned node, uint32_t cores);

/* So many clients, with connections of so long, come again and again from now on. */
void site_demand(struct site *site, unsigned clients, uint64_t job_usec);

/* The most connections that the node can take for those of the site: its close may have got lost for REST_USEC. */
uint32_t site_peak(const struct site *site, unsigned node);

/* Whether the scoreboard gives out slots. */
bool site_has_lease(const struct site *site);
