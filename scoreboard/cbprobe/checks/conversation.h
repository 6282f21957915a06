/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * conversation.h: what a check that talks needs while it is under way, and
 * only then. There are as many as checks at once, had before the pass begins:
 * what nodes send cannot make the prober grow.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list/pattern.h"
#include "scoreboard.h"

#define CONVERSATION_SIZE 8192u /* more than any sound answer */

struct conversation {
	struct conversation *next; /* in the pool */
	const void *query;         /* what is being sent; the check keeps it */
	size_t query_size, sent;
	size_t received;           /* bytes in data */
	bool ended;                /* the node sends no more */
	bool has_slot;
	struct score_slot slot;    /* of the node, that was taken for the check */
	uint32_t step;             /* for the check: how far it is; begins with 0 */
	uint64_t begun_usec;       /* for the check: CLOCK_MONOTONIC; begins with 0 */
	struct pattern_search search; /* for the check: of its patterns in data; begins with 0 */
	unsigned char data[CONVERSATION_SIZE];
};

struct conversations {
	struct conversation *all;
	struct conversation *free;  /* those given back */
	struct conversation *fresh; /* those never taken yet */
	size_t n_fresh;
};

/* Of the last line received that is not empty, or of what there is of it, without its end: where it begins, and in
 * *ret_length how many bytes it has. */
const char *conversation_last_line(const struct conversation *conversation, int *ret_length);

/* Makes so many. 0 or -ENOMEM. */
int conversations_init(struct conversations *pool, size_t n);

/* Frees them. */
void conversations_clear(struct conversations *pool);

/* An empty one, or NULL if all are in use. */
struct conversation *conversation_take(struct conversations *pool);

/* Gives it back; NULL is fine. */
void conversation_give_back(struct conversations *pool, struct conversation *conversation);
