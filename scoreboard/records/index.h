/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * index.h: finds the node to use without reading every node's record.
 *
 * A tree of pages. On level 0 each node has an entry, in list order, with what
 * a choice needs. Every page is summed up by one key, the best of each kind
 * below it, on the level above; the last page's key is in the farm's record.
 * A change rewrites one page a level, and the best node is known at the root.
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
	uint64_t retry_usec;   /* CLOCK_BOOTTIME at which a node below may next be tried; UINT64_MAX: none */
	uint32_t fastest_at, spread_at; /* positions */
};

#define INDEX_PRIMARY (UINT64_C(1) << 63) /* set in keys of nodes that are no backup */

enum {
	ENTRY_UP = 1 << 0,
	ENTRY_HELD = 1 << 1,
	ENTRY_DRAINING = 1 << 2,
	ENTRY_BACKUP = 1 << 3,
	ENTRY_TRIAL_OPEN = 1 << 4, /* down, and the next connection may try it */
	ENTRY_TRIAL_RUNS = 1 << 5, /* one connection is trying it, or was when it came up */
	ENTRY_AGENT = 1 << 6,      /* its agent wants no new connections */
};

struct index_entry {
	struct index_key key;
	uint32_t id;           /* of the node */
	uint32_t flags;
	uint32_t speed;        /* in thousandths */
	uint32_t cores;
	uint32_t busy;         /* slots held or handed over */
	uint32_t free_slot;    /* first of the list of free slots, or NONE */
	uint32_t limit;        /* connections at once: cores, or fewer if its agent says so */
	uint32_t reserved;
};

/* Whether a node of these flags is up, and nobody keeps new connections from it. */
bool index_is_up(uint32_t flags);

/* The same of one that is no backup. */
bool index_is_primary_up(uint32_t flags);

/* How many more connections the node takes now. */
uint32_t index_entry_free(const struct index_entry *entry);

/* Makes an entry's key of what else it says and its position; when its next trial is stays. */
void index_make_key(struct index_entry *entry, uint32_t position);

/* Makes *best the better of both in every respect; the one with the lower position must be put in first. */
void index_key_better(struct index_key *best, const struct index_key *other);

/* Whether every page below the root is summed up rightly: 0 yes, 1 no, or -errno. */
int index_check_levels(struct store *store, const struct farm *farm);

/* The entry at a position. 0, -EUCLEAN if there is none, or -errno. */
int index_get(struct store *store, const struct farm *farm, uint32_t position, struct index_entry **ret);

/* After the entry at position (from index_get) was changed: writes it and all keys above. 0 or -errno. */
int index_update(struct store *store, struct farm *farm, uint32_t position);

/* The first position, at or behind from, with a free slot; primary or backup nodes. 0, 1 none, or -errno. */
int index_first_free(struct store *store, const struct farm *farm, uint32_t from, bool primary, uint32_t *ret);

/* The first position whose next trial is due. 0, 1 none, or -errno. */
int index_first_due(struct store *store, const struct farm *farm, uint64_t now_usec, uint32_t *ret);

/* In a transaction: writes the whole index anew; keys are made here. Updates n_nodes, primaries_up, nodes_up, busy
 * and root of the farm, whose record the caller writes. 0 or -errno. */
int index_build(struct store *store, struct farm *farm, struct index_entry *entries, uint32_t n);
