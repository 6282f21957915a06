/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * types.h: what the operations of scoreboard.h take and tell: bounds, plain data,
 * and the functions over such data alone. Nothing here needs a scoreboard, so that
 * the library's rooms use this header, and programs use scoreboard.h. Nothing here
 * owns anything: copies of these structures are as good as the originals.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "list/fields.h"
#include "list/nodelist.h"
#include "list/policies.h"
#include "list/reason.h"
#include "records/agent.h"
#include "records/split.h"
#include "system/address.h"

#define SCORE_CLIENT_MAX 63       /* longest client name kept, without its NUL */
#define SCORE_FLAPS_MAX 8         /* times of going down that are kept of one node */
#define SCORE_DOUBTS_MAX 3u       /* a node that leaves so many connections in a row unanswered goes down */
#define SCORE_LIST_MAX 1023       /* longest path of a node list that is kept, without its NUL */
#define SCORE_FDS_MAX 2           /* descriptors of an open scoreboard, at most */
#define SCORE_VERBOSITY_MORE 1u   /* programs log as with their option --verbose */
#define SCORE_VERBOSITY_MAX 2u    /* and relays log every connection, whatever their option --log says */
#define SCORE_GUARD_USEC 750000u  /* how often the guard of the queue looks for dead holders */
#define SCORE_WATCH_USEC 1000000u /* how often the dead are looked for while slots are taken and no connection waits */
#define SCORE_PATIENCE_MAX_USEC 60000000u /* the longest time for which a free slot is kept from waiters */
#define SCORE_GRANT_USEC 1000000u /* a granted slot that is not taken for so long goes to the next waiter */

/* A slot that this process holds. Plain data; copying it copies nothing held. */
struct score_slot {
	uint32_t node;   /* which node, stable while the slot is held */
	uint32_t slot;   /* which of its slots, from 0 */
	uint64_t ticket; /* the connection's place in the order of arrival */
	bool trial;      /* this connection tries a node that was down */
};

/* How the node of a connection is chosen. */
enum score_policy {
#define POLICY_NUMBER(NAME, name) POLICY_##NAME,
	POLICIES(POLICY_NUMBER)
	POLICY_MAX_,
	POLICY_INVALID_ = -1,
};

/* The policy's name as options spell it, and back (POLICY_INVALID_ if there is none such). */
const char *policy_to_string(enum score_policy policy);
enum score_policy policy_from_string(const char *name);

/* The name of the i-th policy, from 0 on; NULL behind the last. words is not used. */
const char *policy_word(const void *words, size_t i);

/* A place in the queue. A function that takes a ticket that is not const may change its cell: the ticket was lost with
 * a damaged queue, and the function has put it back. */
struct score_ticket {
	uint64_t number; /* the order of arrival, over all entrances */
	uint32_t cell;   /* where the scoreboard keeps it */
	enum score_policy policy;
	char client[SCORE_CLIENT_MAX + 1]; /* its name, for when the ticket must be put back; empty: not known */
	uint32_t per_client; /* as in struct score_arrival, for the same */
};

/* What a relay must know of the node of its slot. */
struct score_target {
	char name[NODE_NAME_MAX + 1];
	enum proxy_version proxy;
	unsigned n_addresses;
	struct score_address addresses[SCORE_ADDRESSES_MAX];
};

/* What new connections may expect of a node. */
enum node_state {
	NODE_UP,
	NODE_DOWN,
	NODE_HELD,
	NODE_DRAINING,
	NODE_RETRY,      /* down, and a connection is trying it, or the next connection may */
	NODE_STATE_MAX_,
};

/* The state's word, as in the column STATE of cbscore(1); "unknown" for no such state. */
const char *node_state_to_string(enum node_state state);

/* A change of a node's state; none if before and after are the same. */
struct score_edge {
	enum node_state before, after;
	enum node_reason reason;     /* why it is down, or why it was */
	uint64_t lasted_usec;        /* how long the state before had lasted */
};

/* Writes the change in words, as relays and the prober tell it: "NODE is down: REASON: DETAIL (was up for 2h 5min)".
 * detail, the words of a check, may be NULL. The text is cut to size bytes. */
void score_edge_describe(const char *node, const struct score_edge *edge, const char *detail, char *buffer, size_t size);

/* ---- a connection ---- */

/* A connection that comes to the farm. */
struct score_arrival {
	enum score_policy policy;
	const char *client;      /* its name, of which SCORE_CLIENT_MAX bytes are kept; not used if accept is set */
	uint32_t clients;        /* the policy affinity is to remember at least so many clients */
	/*
	 * The policy affinity forgets a client that has not come for so many seconds; SCORE_FORGET_NEVER; or 0: what the
	 * farm has been told, else an hour. The latest connection by that policy decides for the farm.
	 */
	uint32_t forget_sec;
	size_t queue_limit;      /* the connection joins the queue only if fewer wait; 0: whatever their number */
	/*
	 * The connection waits while its client has so many slots: of its IPv4 address, or of its IPv6 /64. Others get
	 * free slots meanwhile. 0: any number. Clients without an address may have any number, too.
	 */
	uint32_t per_client;
	/*
	 * Among waiters, the next slot goes to the client (as above) that holds the fewest, to its oldest connection. It
	 * is the farm's order, for all waiters: from a connection that has it set, until none waits and one comes that
	 * has not.
	 */
	bool fair;
	const bool *is_uncounted; /* NULL, or true after the accept: per_client does not count for this connection */
	/*
	 * NULL: the connection has been accepted. Else this function accepts it. The claim calls this function inside
	 * the section, when a slot or a place in the queue is in hand: so connections get their tickets in the order
	 * of the listening socket's backlog, whichever process accepts them. Returns 0, with the client's name in
	 * *ret_client, which must stay until the claim ends; 1: no connection is pending; or -errno, other than
	 * -EAGAIN. After these two nothing is claimed and nothing is changed, and the claim returns 2 or that -errno.
	 * The function must neither block nor use the scoreboard. If the scoreboard turns out to be damaged after the
	 * accept, the function is called again, and returns 0 for the connection that it has. If the claim fails in
	 * the end, the connection is accepted and has neither slot nor ticket.
	 */
	int (*accept)(const char **ret_client, void *arg);
	void *arg;
};

/* ---- what is shown ---- */

/* Where a node's speed comes from: the formula stands in corebalance(7). */
struct score_speed {
	bool pinned;                 /* by speed= of the node list; else it is learned, in steps */
	double learned;              /* what is learned, also where it does not count */
	double hold, hold_weight;    /* by how long connections hold a slot, and of how many samples */
	double compile, compile_weight; /* by the identical compile of probes */
	uint64_t work_usec;          /* of the last such compile; 0: none */
};

/* A node as it is at one moment. */
struct score_node {
	uint32_t id;
	struct node_config config;   /* as in the node list, with present values */
	uint32_t flags;              /* BN_DOWN, BN_HOLD */
	enum node_state state;
	enum node_reason reason;
	char detail[NODE_DETAIL_MAX + 1]; /* an administrator's or a check's own words, may be empty */
	uint32_t busy, free;
	uint32_t limit;              /* connections at once: its cores, or fewer if its agent or its share says so */
	uint32_t share;              /* of its cores, so many are this gateway's; SHARE_NONE: all */
	double speed;                /* the speed that counts now */
	struct score_speed learning;
	uint64_t since_usec;         /* of the state */
	char fingerprint[NODE_FINGERPRINT_MAX + 1]; /* of its compiler, may be empty */
	char agent[AGENT_TEXT_MAX + 1];   /* what its agent has said, may be empty */
	uint64_t retry_usec;         /* CLOCK_REALTIME of the next trial; 0: none to come */
	uint64_t served, failed, bytes_in, bytes_out;
	uint32_t rise, fall;         /* successes and failures in a row, of probes */
	uint32_t doubts;             /* connections in a row that it took and did not answer */
	unsigned n_addresses;        /* the address that was reached last comes first */
	struct score_address addresses[SCORE_ADDRESSES_MAX];
	uint32_t unreached;          /* bits: the addresses that were tried in vain when another was reached last */
};

/* What one more core of the node is worth at its present load, by speed and smt=, as corebalance(7) has it. */
double score_worth(const struct score_node *node);

/* A slot that is taken, or granted to a waiter. */
struct score_slot_info {
	const char *node;            /* its name; valid during the callback */
	uint32_t slot;
	pid_t pid;
	const char *client;
	uint64_t since_usec;         /* CLOCK_REALTIME, as that clock goes now: it may differ the next time */
	uint64_t begun_usec;         /* the same of CLOCK_BOOTTIME: with pid and slot it tells a connection from any other */
	uint64_t in, out;
	bool taken;                  /* false: granted to a waiter that has not taken it yet */
};

/* A connection that waits. */
struct score_ticket_info {
	uint64_t number;
	pid_t pid;
	const char *client;
	uint64_t since_usec;
	uint32_t per_client;         /* above 0: it waits as its client has so many slots */
};

/* The farm in numbers. */
struct score_totals {
	uint32_t nodes, nodes_up;
	uint64_t slots, busy, waiting;
	uint64_t free;               /* so many connections would get a slot now: none while the farm is paused or lapsed, or slots are
				      * kept */
	uint64_t kept;               /* so many free slots are kept from waiters, see score_set_patience() */
	uint64_t oldest_since_usec;  /* of the oldest waiter; 0 if there is none */
	bool paused;
	bool lapsed;                 /* the lease is over: no slot is given out until it is renewed */
	uint64_t lease_usec;         /* CLOCK_BOOTTIME, see score_set_lease(); 0: the farm has no lease */
	uint64_t kept_usec;          /* CLOCK_BOOTTIME: these are kept until then at most; 0: none is */
	struct split split;
};

/* ---- what was ---- */

#define SCORE_BUCKETS 16u
#define SCORE_SLICES 120u                        /* of the last hour */
#define SCORE_SLICE_USEC UINT64_C(30000000)

/* The upper bounds, included, of a histogram's buckets but the last, in microseconds. */
extern const uint64_t score_bucket_usec[SCORE_BUCKETS - 1];

/* How long something took: the number of samples in each bucket, and their sum. */
struct score_histogram {
	uint64_t count[SCORE_BUCKETS];
	uint64_t sum_usec;
};

/* How many there are in all buckets. */
uint64_t score_histogram_total(const struct score_histogram *histogram);

/* The length of time, in microseconds, that the given part of all samples (0.5: half) does not exceed. Samples count as
 * spread evenly over their bucket. 0 if there are none. */
uint64_t score_histogram_quantile(const struct score_histogram *histogram, double quantile);

/* A part of the last hour. */
struct score_slice {
	uint64_t begin_usec;           /* CLOCK_REALTIME */
	uint64_t length_usec;          /* how long it is; that of now is not over yet */
	uint32_t served, failed;       /* connections that ended in it */
	uint32_t busy, waiting;        /* the most slots taken, and connections waiting, at once */
	struct score_histogram wait, hold;
};

/* How connections have fared. */
struct score_history {
	uint64_t served, failed;       /* since the scoreboard was made, */
	struct score_histogram wait;   /* as all the rest here: how long connections waited for their slot, */
	struct score_histogram hold;   /* and held it */
	unsigned n_slices;             /* of the last hour, oldest first; the last is that of now */
	struct score_slice slices[SCORE_SLICES];
};

/* ---- how a node is chosen ---- */

#define SCORE_FIRSTS_MAX 8u /* nodes that the policy hash has for a client, until it chooses as fastest */

/* What the next connection would get. */
struct score_choice {
	uint32_t node;               /* its id; 0: none */
	uint64_t waiting;            /* so many wait, and come first */
	uint64_t kept_usec;          /* CLOCK_BOOTTIME: free slots are kept from them until then at most; 0: none is */
	uint64_t over;               /* so many wait as their clients have all the slots that they may */
	bool paused, lapsed;         /* as in struct score_totals */
	bool primary_up;             /* a node that is no backup is up, so that no backup is used */
	/* The ids of nodes that come first by the client, whatever else the policy compares, in their order. */
	uint32_t firsts[SCORE_FIRSTS_MAX];
	unsigned n_firsts;
};

/* A node as a policy compares it with others. */
struct score_candidate {
	const struct score_node *node;
	uint32_t position;           /* in the list, from 0 */
	uint32_t turn;               /* how far behind the chosen node it stands, going round the list */
	uint32_t first;              /* its place in firsts of struct score_choice; SCORE_FIRSTS_MAX: it is not there */
	double best;                 /* the largest worth of all nodes that it is compared with */
};

/* What a policy prefers, as a phrase. Never NULL. */
const char *policy_rule(enum score_policy policy);

/* Whether the policy chooses by the client's address, too. */
bool policy_is_by_client(enum score_policy policy);

/* How a policy ranks two nodes that both could be used: below 0 if a comes first, above 0 if b does. */
int policy_compare(enum score_policy policy, const struct score_candidate *a, const struct score_candidate *b);

/* Why a node that could be used comes behind the chosen node, as a phrase. Never NULL. */
const char *policy_why_behind(enum score_policy policy, const struct score_candidate *node,
			      const struct score_candidate *chosen);

#define SCORE_CLIENTS_MAX 1048576u /* that can be remembered */
#define SCORE_FORGET_NEVER UINT32_MAX

/* A client whose node the farm remembers, for the policy affinity. */
struct score_client_info {
	char client[SCORE_CLIENT_MAX + 1]; /* its address */
	char node[NODE_NAME_MAX + 1];      /* which it used last; empty: the farm has that node no more */
	uint64_t since_usec, used_usec;    /* CLOCK_REALTIME of its first and its last connection to that node */
	uint64_t uses;                     /* its connections, to all nodes */
};

/* ---- administration ---- */

/* How many nodes a load has added, changed, begun to drain, removed, and left as they were. */
struct score_load_result {
	unsigned added, changed, draining, removed, kept;
};

/* A change of one node. */
struct score_edit {
	enum { EDIT_ADD, EDIT_REMOVE, EDIT_SET } what;
	struct node_config config;   /* ADD: the node; REMOVE: its name alone counts; SET: its name, and the new values */
	uint32_t fields;             /* SET: the fields that change, bits of list/fields.h; all others stay as they are */
};

/* A node before and after an edit, both as they were in the edit's own section. */
struct score_edited {
	struct node_config before;   /* all zeros after ADD; flags: as they were in force */
	struct node_config after;    /* the same as before after REMOVE */
	uint32_t busy;               /* its connections at that moment */
};

/* ---- health ---- */

/* What a probe found. */
struct score_verdict {
	const char *check;           /* the node's check= when the probe began; NULL: whatever it is now */
	bool success;
	enum node_reason reason;     /* why not, or REASON_NONE */
	const char *detail;          /* the check's own words, or NULL */
	uint32_t rise, fall;         /* so many in a row change the state; at least 1 */
	uint64_t down_after_usec;    /* a failure takes a node down that has had no success for so long; 0: off */
	uint32_t flaps;              /* going down so often, at most SCORE_FLAPS_MAX, ... */
	uint64_t flap_usec;          /* ... within so long keeps it down until it was quiet as long; flaps 0: off */
	bool shallow;                /* a success is a connection made, not an answer had */
	uint64_t work_usec;          /* how long the node took for a piece of work that is the same for all; 0: none */
};
