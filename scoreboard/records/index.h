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

/*
 * What one more core of a node is worth is told in steps of WORTH_STEP. The nodes
 * within WORTH_STEPS of them from the best node count as equal: all that are worth
 * at least nine tenths of it, and none that is worth less than seven eighths.
 */
#define WORTH_STEP 1.0267 /* (10 / 9) ^ (1 / 4) */
#define WORTH_STEPS 5u

#define WORTH_PRIMARY (UINT32_C(1) << 31)   /* set in the worth of nodes that are no backup */
#define INDEX_PRIMARY (UINT64_C(1) << 63)   /* the same of other values */

/* What a choice compares, of a node: larger is better, 0 is "nothing free". */
struct index_leaf {
	uint64_t share;        /* of free cores, above a position: equal shares go to the lower position */
	uint64_t spread;       /* primary bit, share of free cores times speed */
	uint64_t retry_usec;   /* CLOCK_BOOTTIME of the next trial; UINT64_MAX: none */
	uint32_t worth;        /* primary bit, steps from 1 on */
	uint32_t reserved;
};

/* The same of all nodes below: the best of each kind. */
struct index_key {
	uint64_t shares[WORTH_STEPS]; /* the largest share of nodes of the best worth, of those a step below, and so on */
	uint64_t spread;
	uint64_t retry_usec;
	uint32_t worth;
	uint32_t spread_at;    /* position; equal values go to the lower */
};

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
	struct index_leaf key;
	uint32_t id;           /* of the node */
	uint32_t flags;
	uint32_t speed;        /* in thousandths */
	uint32_t cores;
	uint32_t busy;         /* slots held or handed over */
	uint32_t free_slot;    /* first of the list of free slots, or NONE */
	uint32_t limit;        /* connections at once: cores, or fewer if the agent or a share says so */
	uint16_t worth, worth_late; /* steps: of a core until half of the cores are busy, and from then on */
};

/* Whether a node with these flags is up and takes new connections: no administrator and no agent keeps them from it. */
bool index_is_up(uint32_t flags);

/* As index_is_up(), and the node is no backup. */
bool index_is_primary_up(uint32_t flags);

/* How many more connections the node takes now. */
uint32_t index_entry_free(const struct index_entry *entry);

/* The steps of a worth in millionths of an ordinary core's, 1 to 2^40; 1 to INT16_MAX. */
uint16_t index_worth_steps(uint64_t worth);

/* The other way round: the speed of a core that is worth so many steps, in thousandths; within 2^-9 to 2^19. */
uint32_t index_worth_speed(uint32_t steps);

/* Sets the speed in thousandths, and the worth that follows from it and from smt=, in thousandths. */
void index_set_speed(struct index_entry *entry, uint32_t speed, uint32_t smt);

/* The position of the node to use by worth: of the nodes that count as equal to the best, the node with the largest
 * share of free cores; of equal shares the faster, then the first. Some node has a free slot. */
uint32_t index_fastest(const struct index_key *root);

#define INDEX_PAGE_ENTRIES 32u

/* Copies the entries of a page, which begins at position page * INDEX_PAGE_ENTRIES, for walks over many nodes. Returns
 * their number; -EUCLEAN if there is no such page; or -errno. */
int index_read_page(struct store *store, const struct farm *farm, uint32_t page,
		    struct index_entry ret[static INDEX_PAGE_ENTRIES]);

/* Whether there is an entry of the node: 1, 0, or -errno. Reads the whole index. */
int index_has(struct store *store, const struct farm *farm, uint32_t id);

/* The entry at a position. 0, -EUCLEAN if there is none, or -errno. */
int index_get(struct store *store, const struct farm *farm, uint32_t position, struct index_entry **ret);

/* After the entry at position (from index_get) was changed: writes it and all keys above. 0 or -errno. */
int index_update(struct store *store, struct farm *farm, uint32_t position);

/* The first position, at or behind from, with a free slot; of primary or backup nodes. 0; 1: none; or -errno. */
int index_first_free(struct store *store, const struct farm *farm, uint32_t from, bool primary, uint32_t *ret);

/* The first position at which a trial is due. 0; 1: none; or -errno. */
int index_first_due(struct store *store, const struct farm *farm, uint64_t now_usec, uint32_t *ret);

/*
 * In a transaction, on the caller's own copy of the farm's record, which the
 * caller writes: each rewrites one page on each level.
 * Gives the index another entry behind the last; its position is the former n_nodes. 0 or -errno.
 */
int index_append(struct store *store, struct farm *farm, struct index_entry *entry);

/* Removes the last entry, which has no slot taken and is not up. 0 or -errno. */
int index_drop(struct store *store, struct farm *farm);

/* In a section: the entries at two positions change places; their nodes' records are the caller's to change. Staged
 * only. 0 or -errno. */
int index_swap(struct store *store, struct farm *farm, uint32_t p, uint32_t q);

/* In a transaction: writes the whole index anew and makes its keys. Updates n_nodes, primaries_up, nodes_up, busy and
 * root of the farm; the caller writes the farm's record. 0 or -errno. */
int index_build(struct store *store, struct farm *farm, struct index_entry *entries, uint32_t n);
