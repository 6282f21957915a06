/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * conversation.h: what a check that talks needs while it is under way, and
 * only then. There are as many conversations as checks at the same time, allocated
 * before the pass begins: what nodes send cannot make the prober grow.
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
	struct score_slot slot;    /* the node's slot that was taken for the check */
	uint32_t step;             /* for the check: how far it is; begins with 0 */
	uint64_t begun_usec;       /* for the check: CLOCK_MONOTONIC; begins with 0 */
	struct pattern_search search; /* for the check: of its patterns in data; begins with 0 */
	unsigned char data[CONVERSATION_SIZE];
};

struct conversations {
	struct conversation *all;
	struct conversation *free;  /* conversations given back */
	struct conversation *fresh; /* conversations never taken yet */
	size_t n_fresh;
};

/* The last line received that is not empty, or the part of it that there is, without its end. Returns where the line
 * begins, and in *ret_length how many bytes it has. */
const char *conversation_last_line(const struct conversation *conversation, size_t *ret_length);

/* Makes n conversations. 0 or -ENOMEM. */
int conversations_init(struct conversations *pool, size_t n);

/* Frees the conversations. */
void conversations_clear(struct conversations *pool);

/* Takes an empty conversation. NULL: all are in use. */
struct conversation *conversation_take(struct conversations *pool);

/* Gives a conversation back; NULL is fine. */
void conversation_give_back(struct conversations *pool, struct conversation *conversation);
