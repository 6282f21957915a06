/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "held.h"
#include "system/grow.h"

#include <stdlib.h>
#include <string.h>

static struct held *find(struct score *s, const struct score_slot *slot)
{
	for (size_t i = 0; i < s->n_held; i++) {
		const struct score_slot *given = &s->held[i].given;

		if (given->node == slot->node && given->slot == slot->slot && given->ticket == slot->ticket)
			return &s->held[i];
	}
	return NULL;
}

void held_prepare(struct score *s)
{
	if (s->held)
		return;
	/* Most processes hold a single slot: room for more would be two pages of memory in each relay. */
	s->held = malloc(sizeof(*s->held));
	s->room_held = s->held ? 1 : 0;
}

void held_add(struct score *s, const struct score_slot *slot, const char *node)
{
	struct held held = { .given = *slot, .is = *slot };

	held_prepare(s);
	if (GROW(s->held, s->n_held, s->room_held) < 0) {
		s->forgetful = true;
		return;
	}
	(void)memcpy(held.node, node, strnlen(node, NODE_NAME_MAX));
	s->held[s->n_held++] = held;
}

const struct score_slot *held_at(struct score *s, const struct score_slot *slot)
{
	struct held *held = find(s, slot);

	if (!held)
		return slot;
	held->is.trial = slot->trial;
	return &held->is;
}

void held_remove(struct score *s, const struct score_slot *slot)
{
	struct held *held = find(s, slot);

	if (!held)
		return;
	*held = s->held[--s->n_held];
	s->told = s->settled; /* the slot that this process could not report may have been this one */
}
