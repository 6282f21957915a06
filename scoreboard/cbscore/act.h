/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * act.h: what an administrator changed goes to the journal, a line for each
 * change: which verb, of which node or farm, the old and the new value, and the
 * user. Where there is no journal nothing is written.
 */

#include <stdbool.h>

#include "scoreboard.h"

#define ACT_TEXT_MAX 160

/* Sets the farm's name for act_tell(). The text must live until the process ends. */
void act_set_farm(const char *farm);

/*
 * Notes a change. node: its name, or NODE/SLOT, or NULL for the whole farm.
 * before and after: the old and the new value; NULL where there was or is none.
 */
void act_tell(const char *verb, const char *node, const char *before, const char *after);

/* Whether this process has noted a change since the last call. */
bool act_any_new(void);

/* Writes a node's state with its reason, "held: a new disk", as a value for act_tell(). Returns text. */
const char *act_state(const struct score_node *node, char text[static ACT_TEXT_MAX]);
