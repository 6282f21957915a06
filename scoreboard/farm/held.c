/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "held.h"
#include "system/grow.h"

#include <stdlib.h>

static bool same(const struct score_slot *a, const struct score_slot *b)
{
	return a->node == b->node && a->slot == b->slot && a->ticket == b->ticket;
}

void held_add(struct score *s, const struct score_slot *slot)
{
	if (GROW(s->held, s->n_held, s->room_held) < 0) {
		s->forgetful = true;
		return;
	}
	s->held[s->n_held++] = *slot;
}

void held_remove(struct score *s, const struct score_slot *slot)
{
	for (size_t i = 0; i < s->n_held; i++)
		if (same(&s->held[i], slot)) {
			s->held[i] = s->held[--s->n_held];
			s->told = s->settled; /* the slot that this process could not report may have been this one */
			return;
		}
}
