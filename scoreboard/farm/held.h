/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * held.h: which slots this process holds, noted in its own memory, so that it
 * can say so when the scoreboard cannot (repair/lost.h).
 */

#include "scoreboard.h"
#include "section.h"

/* Notes a slot that this process has taken. Without memory for it the process is forgetful from then on. */
void held_add(struct score *s, const struct score_slot *slot);

/* Forgets a slot that this process has given up. Nothing happens if it is not noted. */
void held_remove(struct score *s, const struct score_slot *slot);
