/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * held.h: which slots this process holds, noted in its own memory, so that it
 * can say so when the scoreboard cannot (repair/lost.h). A process goes on to name a
 * slot as it got it, also when the slot is at another place by now.
 */

#include "types.h"
#include "section.h"

/* Makes room for the first slot, if there is memory: processes forked later need not. */
void held_prepare(struct score *s);

/* Notes a slot of the named node that this process has taken. Without memory for it the process is forgetful from then
 * on. */
void held_add(struct score *s, const struct score_slot *slot, const char *node);

/* Where the slot is now. Valid until the next change of what is held. */
const struct score_slot *held_at(struct score *s, const struct score_slot *slot);

/* Forgets a slot that this process has given up. Nothing happens if it is not noted. */
void held_remove(struct score *s, const struct score_slot *slot);
