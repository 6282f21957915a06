/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * drawing.h: a draft while it is drawn up: what draft.c, draft_nodes.c and
 * draft_queue.c share.
 */

#include "draft.h"
#include "records/index.h"
#include "records/slot.h"

/* Where a cell stands in its list. */
struct place {
	uint32_t next, prev, state;
	bool named;                  /* a granted slot names the cell */
};

struct drawing {
	struct draft *draft;
	struct store *from, *to;
	struct farm old;             /* the farm's record as it was read */
	bool known;                  /* the farm's record could be read, and agrees with the rest */
	struct index_entry *entries;
	uint32_t n;                  /* nodes */
	size_t room;
	struct place *cells;
	struct slot_page *pages;     /* of the node that is being drawn */
	size_t page_room;
	uint64_t last_ticket;
	uint32_t last_id;
	bool moved;                  /* a node stands at another position than before */
	bool lossy;                  /* processes may hold slots that are not in what was read */
	bool shared;                 /* a node has a share */
	bool unknown;                /* the record "lost" cannot be read: all processes are asked again */
};

/* Notes a finding where a number is not what it should be. */
void drawing_expect(struct drawing *d, const char *where, const char *what, uint64_t is, uint64_t should_be);

/* Finds the nodes, and puts them into their order. 0; -EUCLEAN: a node cannot be read; or -errno. */
int drawing_find_nodes(struct drawing *d);

/* Writes a node and its slots as they must be, and completes its entry. 0; -EUCLEAN; or -errno. */
int drawing_node(struct drawing *d, uint32_t position);

/* Writes the cells and their lists as they must be, and sets the lists' ends and lengths in the farm's record. The slots have
 * been drawn: they say which granted cells are named. 0; -EUCLEAN; or -errno. */
int drawing_queue(struct drawing *d);
