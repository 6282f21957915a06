/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * node.h: the record of a node: what the node list says, its health, its
 * counters. What a choice needs of it is also in the node's index entry.
 */

#include <stdbool.h>
#include <stdint.h>

#include "agent.h"
#include "index.h"
#include "list/nodelist.h"
#include "types.h"
#include "speed.h"
#include "split.h"

#define NODE_RETRY_USEC (30 * UINT64_C(1000000)) /* first pause before a down node is tried, if no other is set */
#define NODE_RETRY_DOUBLINGS 16u                 /* the pause grows to at most 16 times the first */

struct node_address {
	uint16_t family;       /* AF_INET or AF_INET6 */
	uint16_t unreached;    /* 1: the last connect to it was in vain, and another address was reached */
	uint32_t scope;        /* of a link-local IPv6 address */
	uint8_t bytes[16];     /* network order; IPv4 in the first four */
};

/* The record "node/ID". */
struct node_record {
	struct node_config config;    /* flags: as the node list had them last */
	char detail[NODE_DETAIL_MAX + 1];
	uint32_t flags;               /* BN_DOWN, BN_HOLD as they are now */
	uint32_t draining;
	uint32_t reason;              /* enum node_reason: why it is down */
	uint32_t rise, fall;
	uint32_t slot_pages;          /* of the slot records that exist */
	uint32_t n_addresses;
	uint32_t position;            /* in the index; derived */
	uint64_t since_usec;          /* of the state, CLOCK_REALTIME */
	uint64_t pause_usec;          /* between the last failure and the next trial */
	uint64_t served, failed, bytes_in, bytes_out;
	struct speed speed;           /* as far as learned */
	struct node_address addresses[SCORE_ADDRESSES_MAX];
	/* CLOCK_BOOTTIME of these; 0: never. */
	uint64_t success_usec;        /* when a probe or a connection was last answered, or the first probe failed */
	uint64_t quiet_usec;          /* flapping: the node is kept down until then, or later if it fails again */
	uint64_t downs[SCORE_FLAPS_MAX]; /* when the node went down, the latest first */
	uint32_t doubts;              /* connections in a row that the node took and did not answer */
	uint32_t share;               /* of its cores, so many are this gateway's; SHARE_NONE: all */
	uint64_t served_seen;         /* the value of served when a probe last looked */
	struct agent agent;           /* what the node's agent said last */
	char fingerprint[NODE_FINGERPRINT_MAX + 1]; /* of the node's compiler, as a probe found it */
};

/* Whether a record that was read can be true; ends its texts within their fields. 0 or -EUCLEAN. */
int node_check(struct node_record *record);

/* The record of a node that must exist. 0; -EUCLEAN: there is none, or it cannot be true; or -errno. */
int node_get(struct store *store, uint32_t id, struct node_record **ret);

/* As node_get() for a node that may exist: -ENOENT if there is none. */
int node_find(struct store *store, uint32_t id, struct node_record **ret);

/* The record and the index entry of a node that may exist. 0; -ENOENT; -EUCLEAN if they disagree; or -errno. */
int node_find_entry(struct store *store, const struct farm *farm, uint32_t id, struct node_record **ret,
		    struct index_entry **ret_entry);

/* The same of a node that must exist: -EUCLEAN instead of -ENOENT. */
int node_get_entry(struct store *store, const struct farm *farm, uint32_t id, struct node_record **ret,
		   struct index_entry **ret_entry);

/* Puts addresses into the record; changes nothing if they are the same, in any order. The record's first address stays
 * first, if it is among them. What is known of an address that stays is kept. 1 if the record changed, else 0. */
int node_set_addresses(struct node_record *record, const struct score_address *addresses, unsigned n);

/* Notes that a connection reached the node at the address tried->addresses[reached], which comes first from now on. The
 * bits of unreached are the addresses that were tried in vain. Returns 1 if the record changed, else 0. */
int node_reach(struct node_record *record, const struct score_target *tried, unsigned reached, uint32_t unreached);

/* The record's addresses with its port, for connect(2). Returns their number. */
unsigned node_get_addresses(const struct node_record *record, struct score_address ret[static SCORE_ADDRESSES_MAX]);

/* The node's state, from its record and its entry. */
enum node_state node_state(const struct node_record *record, const struct index_entry *entry);

/* Why the node is in that state. */
enum node_reason node_reason(const struct node_record *record, enum node_state state);

/* Gives the entry the speed that counts: pinned, else learned; scaled as the node's agent says. Returns whether it is
 * another speed than before. */
bool node_set_speed(const struct node_record *record, struct index_entry *entry);

/* How many connections at once the node takes: its cores, or fewer if its agent says so, or if other gateways share it. */
uint32_t node_limit(const struct node_record *record);

/* Makes of an entry what follows from its node's record: cores, limit, speed and flags; of a trial only that it ends when
 * the node is up. */
void node_enter(const struct node_record *record, struct index_entry *entry);

/* Begins *ret before a change: before and after are the present state, lasted_usec how long it has lasted. */
void node_edge_begin(const struct node_record *record, const struct index_entry *entry, enum node_reason reason,
		     struct score_edge *ret);

/* Ends the edge after record and entry have changed: sets edge->after. If the state is new, it begins now. */
void node_edge_end(struct node_record *record, const struct index_entry *entry, struct score_edge *edge);

/* Describes the node for the programs that show it. */
void node_describe(const struct node_record *record, const struct index_entry *entry, struct score_node *ret);

/* Notes that the node has gone down now, for the count of flaps. */
void node_note_down(struct node_record *record);

/* Whether the node is kept down because it went down too often, though it may answer at the moment. */
bool node_is_flapping(const struct node_record *record);

/* When a connection may try the node next if nothing more is found out about it before, CLOCK_BOOTTIME: after a flapping node's
 * quiet time, of any other node after its pause; UINT64_MAX: never, as it has no address. */
uint64_t node_next_trial_usec(const struct node_record *record);

/* Fills a new record from a node list's line. The node is not shared. */
void node_init(struct node_record *record, const struct node_config *config, uint64_t now_usec);
