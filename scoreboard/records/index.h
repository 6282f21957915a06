/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * index.h: finds the node to use without reading every node's record.
 *
 * The index is a tree of pages. On level 0 each node has an entry, in list order,
 * with what a choice needs. A key on the level above sums up a page: it has the
 * best of each kind below. The key of the topmost page is in the farm's record. A
 * change rewrites one page on each level, and the best node is known at the root.
 * Everything here can be derived from the node and slot records.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct farm;
struct store;

/* What a choice compares: larger is better, 0 is "nothing free"; equal keys go to the lower position. */
struct index_key {
	uint64_t fastest;      /* primary bit, speed, share of free cores */
	uint64_t spread;       /* primary bit, share of free cores times speed */
	uint64_t retry_usec;   /* CLOCK_BOOTTIME of the next trial of a node below; UINT64_MAX: none */
	uint32_t fastest_at, spread_at; /* positions */
};

#define INDEX_PRIMARY (UINT64_C(1) << 63) /* set in keys of nodes that are no backup */

enum {
	ENTRY_UP = 1 << 0,
	ENTRY_HELD = 1 << 1,
	ENTRY_DRAINING = 1 << 2,
	ENTRY_BACKUP = 1 << 3,
	ENTRY_TRIAL_OPEN = 1 << 4, /* the node is down, and the next connection may try it */
	ENTRY_TRIAL_RUNS = 1 << 5, /* a connection is trying the node, or was when it came up */
	ENTRY_AGENT = 1 << 6,      /* the node's agent wants no new connections */
};

struct index_entry {
	struct index_key key;
	uint32_t id;           /* of the node */
	uint32_t flags;
	uint32_t speed;        /* in thousandths */
	uint32_t cores;
	uint32_t busy;         /* slots held or handed over */
	uint32_t free_slot;    /* first of the list of free slots, or NONE */
	uint32_t limit;        /* connections at once: cores, or fewer if the agent says so */
	uint32_t reserved;
};

/* Whether a node with these flags is up and takes new connections: no administrator and no agent keeps them from it. */
bool index_is_up(uint32_t flags);

/* As index_is_up(), and the node is no backup. */
bool index_is_primary_up(uint32_t flags);

/* How many more connections the node takes now. */
uint32_t index_entry_free(const struct index_entry *entry);

/* Makes an entry's key from its other fields and its position. The time of its next trial is not changed. */
void index_make_key(struct index_entry *entry, uint32_t position);

/* Makes *best the better of both in every respect. The key of the lower position must be put in first. */
void index_key_better(struct index_key *best, const struct index_key *other);

/* Whether every page below the root is summed up rightly: 0 yes, 1 no, or -errno. */
int index_check_levels(struct store *store, const struct farm *farm);

/* The entry at a position. 0, -EUCLEAN if there is none, or -errno. */
int index_get(struct store *store, const struct farm *farm, uint32_t position, struct index_entry **ret);

/* After the entry at position (from index_get) was changed: writes it and all keys above. 0 or -errno. */
int index_update(struct store *store, struct farm *farm, uint32_t position);

/* The first position, at or behind from, with a free slot; of primary or backup nodes. 0; 1: none; or -errno. */
int index_first_free(struct store *store, const struct farm *farm, uint32_t from, bool primary, uint32_t *ret);

/* The first position at which a trial is due. 0; 1: none; or -errno. */
int index_first_due(struct store *store, const struct farm *farm, uint64_t now_usec, uint32_t *ret);

/* In a transaction: writes the whole index anew and makes its keys. Updates n_nodes, primaries_up, nodes_up, busy and
 * root of the farm; the caller writes the farm's record. 0 or -errno. */
int index_build(struct store *store, struct farm *farm, struct index_entry *entries, uint32_t n);
