/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * section.h: an open scoreboard, and the critical section that every operation
 * on it lives in.
 */

#include <stdbool.h>
#include <stdint.h>

#include "records/farm.h"
#include "records/index.h"
#include "records/node.h"
#include "types.h"
#include "store/store.h"
#include "system/holder.h"
#include "system/wake.h"

/* A slot that this process holds. */
struct held {
	struct score_slot given;      /* as the process got it, and as it names the slot since */
	struct score_slot is;         /* where the slot is now: in another scoreboard its node has another number */
	char node[NODE_NAME_MAX + 1];
};

struct score {
	struct store *store;
	char *path;
	char *nodes;                  /* where the node list is, for after a rebuild; may be NULL */
	struct held *held;            /* what this process holds, so that the process can say so */
	size_t n_held, room_held;
	uint64_t times_put_back;      /* how often a ticket of this process was lost and put back, or may have been */
	bool forgetful;               /* there was no memory to note a slot: what this process holds is not known */
	bool is_draft;                /* no other process sees this scoreboard yet */
	bool leaves_repair;           /* as score_leave_repair() */
	uint32_t verbosity;           /* the farm's, as the last section found it */
	bool is_fair;                 /* farm.fair, as the last section found it */
	uint32_t parties_full;        /* farm.parties when it had no room for a client of this process; 0: it always had */
	uint32_t told, settled;       /* the lost_round in which it said what it holds: as far as it could; all of it */
	bool undealt;                 /* a section has left free slots for waiters, or due trials, to further sections */
	bool ring_dropped;            /* this process has changed the farm's nodes, and layout_end() is to follow */
	uint64_t patience_usec;       /* as score_set_patience() */
	uint64_t kept_usec;           /* as score_kept_until() */
	bool is_patient;              /* slots may be kept from waiters of the farm, as far as this process has seen */
	uint64_t reaped_usec;         /* farm.reaped_usec as this process set it last */
	int64_t asleep_usec;          /* by how much CLOCK_BOOTTIME was ahead of CLOCK_MONOTONIC at this process's last look */
	bool look_due;                /* a claim found that no process has looked for the dead lately */
	bool lost_seen;               /* the opening, or a look for the dead, met lost slots, or processes that may hold such */
	struct holder self;           /* this process */
	struct holder_watch waits;    /* the process that waited when a slot was last granted: mostly it has all waiters */
	struct wake_port port;
	char room_for[SCORE_CLIENT_MAX + 1]; /* a client that may have a slot more since this section; see turn_make_room() */
	struct wake_list wakes;       /* to be sent when the lock has been given up */
};

/* Enters a critical section: takes the lock and gets the farm's record. 0; -EAGAIN: all processes are asked what they
 * hold, and this process has not answered (operations.c answers, and tries again); or -errno. Not entered unless 0. */
int farm_enter(struct score *s, struct farm **ret);

/* As farm_enter(), but without -EAGAIN: for the answer to that question, and for repairs. */
int farm_enter_untold(struct score *s, struct farm **ret);

/* Leaves the section, and then wakes the processes that were granted something in it. */
void farm_leave(struct score *s);

/* An operation that is a single expression: enters a section, in which the variable farm is set, and leaves it. The
 * expression's value; or what farm_enter() returned, if that is not 0. */
#define IN_SECTION(s, farm, expression) \
	({ \
		int value_ = farm_enter((s), &(farm)); \
		if (value_ == 0) { \
			value_ = (expression); \
			farm_leave(s); \
		} \
		value_; \
	})

/* Begins a transaction, outside of any section, and copies the farm's record. 0; or -errno: then it is not begun. */
int farm_begin(struct score *s, struct farm *ret);

/* Ends it. If r is 0, the copy (NULL: there is none to write) becomes the farm's record, and all is made real; else nothing has
 * happened. 0, r, or -errno. */
int farm_end(struct score *s, const struct farm *farm, int r);

/* A critical section about a single node. */
struct section {
	struct farm *farm;
	struct node_record *record;
	struct index_entry *entry;
};

/* Enters a section about one node, to be left by farm_leave(). 0; -ENOENT: there is no such node; -EUCLEAN: its record
 * and its entry disagree; or -errno: then it is not entered. */
int section_enter(struct score *s, uint32_t id, struct section *ret);
