/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * view.h: what top shows: a copy of the scoreboard, and which lines of it, in which
 * order. There are two views, of nodes and of connections. Each has a list, through
 * which a cursor moves.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbscore/action.h"
#include "cbscore/ending.h"
#include "cbscore/web/snapshot.h"

#define FILTER_MAX 64
#define MESSAGE_MAX 256
#define QUEUE_SHOWN 8u

enum sort { SORT_LIST, SORT_BUSY, SORT_SPEED, SORT_STATE, SORT_NAME, SORTS_ };

struct waiter {
	char client[SCORE_CLIENT_MAX + 1];
	uint64_t since_usec;
};

/* The caller sets context and score, may set the members from cursor to sort, and leaves all others at 0. */
struct view {
	const struct context *context;
	struct score *score;
	struct snapshot snapshot;
	struct held_slots slots;       /* all connections that have a slot */
	struct waiter queue[QUEUE_SHOWN];
	size_t n_queue;
	size_t *shown;                 /* numbers of nodes or slots, filtered and sorted */
	size_t n_shown;
	size_t cursor, first;          /* in shown: the marked line, and the first line on the screen */
	bool connections;              /* the view of connections; else of nodes */
	char node[NODE_NAME_MAX + 1];  /* connections of this node only; empty: of all nodes */
	char filter[FILTER_MAX];
	char message[MESSAGE_MAX];     /* at the foot, until the next key */
	enum sort sort;
	uint64_t served, taken_usec;   /* of the previous copy, for the rate */
	double rate;
};

/* Copies the scoreboard, and chooses the lines of the list anew. 0; or -errno, and the copy is not complete. */
int view_copy(struct view *view);

/* Chooses and sorts the lines of the list, of the copy that there is. 0 or -ENOMEM. */
int view_arrange(struct view *view);

/* Frees the copy and the list. */
void view_clear(struct view *view);
