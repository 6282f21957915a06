/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * conversation.c: the conversation that was given back last is taken first, so
 * that memory which was never needed is never touched.
 */

#include "conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_end(unsigned char c)
{
	return c == '\r' || c == '\n';
}

const char *conversation_last_line(const struct conversation *conversation, size_t *ret_length)
{
	const unsigned char *data = conversation->data;
	size_t end = conversation->received, begin;

	while (end > 0 && is_end(data[end - 1]))
		end--;
	begin = end;
	while (begin > 0 && !is_end(data[begin - 1]))
		begin--;
	*ret_length = end - begin;
	return (const char *)data + begin;
}

int conversations_init(struct conversations *pool, size_t n)
{
	*pool = (struct conversations){ .all = calloc(n, sizeof(*pool->all)) };
	if (n > 0 && !pool->all)
		return -ENOMEM;
	/* Conversations are linked only when they are given back: to link all now would touch them all. */
	pool->fresh = pool->all;
	pool->n_fresh = n;
	return 0;
}

void conversations_clear(struct conversations *pool)
{
	free(pool->all);
	*pool = (struct conversations){ 0 };
}

struct conversation *conversation_take(struct conversations *pool)
{
	struct conversation *conversation = pool->free;

	if (conversation) {
		pool->free = conversation->next;
	} else if (pool->n_fresh > 0) {
		conversation = pool->fresh++;
		pool->n_fresh--;
	}
	if (conversation)
		(void)memset(conversation, 0, offsetof(struct conversation, data));
	return conversation;
}

void conversation_give_back(struct conversations *pool, struct conversation *conversation)
{
	if (!conversation)
		return;
	conversation->next = pool->free;
	pool->free = conversation;
}
