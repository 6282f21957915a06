/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm.h: the farm's own record, and the critical section that every
 * operation on it lives in.
 */

#include <stdbool.h>
#include <stdint.h>

#include "holder.h"
#include "index.h"
#include "scoreboard.h"
#include "store.h"
#include "wake.h"

#define TICKET_MAX (UINT64_C(1) << 62)
#define NONE UINT32_MAX /* no cell, no slot, no position */

/* The record "farm". */
struct farm {
	uint64_t next_ticket;
	uint64_t reaped_usec;         /* CLOCK_BOOTTIME of the last look for dead holders */
	uint32_t next_id;             /* node ids are never used twice */
	uint32_t n_nodes;             /* positions in the index */
	uint32_t primaries_up;        /* nodes that are up and no backup; derived */
	uint32_t busy;                /* slots held or handed over; derived */
	uint32_t paused;
	uint32_t cursor;              /* where roundrobin goes on */
	uint32_t queue_head, queue_tail, queue_length;
	uint32_t cells, free_cell;    /* room of the queue, and its first free cell */
	uint32_t granted;             /* cells whose slot has not been taken yet; derived */
	uint32_t granted_head, granted_tail; /* the list of these */
	uint32_t nodes_up;            /* nodes that are up, backups too; derived */
	uint32_t lost;                /* processes that may hold a lost slot, see lost.h */
	uint32_t lost_round;          /* which loss that was; 0: none yet */
	uint32_t incomplete;          /* nodes could not be read: a load of the list shall bring them back */
	struct index_key root;        /* the best of the index; derived */
};

struct score {
	struct store *store;
	char *path;
	char *nodes;                  /* where the node list is, for after a rebuild; may be NULL */
	struct score_slot *held;      /* what this process holds, so that it can say so */
	size_t n_held, room_held;
	uint64_t revivals;            /* how often one of its tickets was lost, and put in again, or may have been */
	bool forgetful;               /* there was no memory to note it: what it holds is not known */
	bool is_draft;                /* not yet what anybody else sees */
	uint32_t settled;             /* the lost_round in which it said so */
	struct holder self;           /* this process */
	struct wake_port port;
	struct wake_list wakes;       /* to be sent when the lock has been given up */
};

/* Whether the sizes in the record can be true, so that whoever allocates and loops by them may. 0 or -EUCLEAN. */
int farm_check(const struct farm *farm);

/* Enters a critical section: takes the lock and gets the farm's record. 0 or -errno. */
int farm_enter(struct score *s, struct farm **ret);

/* Leaves it, and then wakes those to whom something was given in it. */
void farm_leave(struct score *s);
