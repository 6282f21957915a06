/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * event.h: reports that a node went up or down: once for each change, never for
 * a result that changed nothing.
 */

#include "scoreboard.h"

/* The journal's MESSAGE_ID of a node's change of state. */
#define MESSAGE_NODE_STATE_ID "MESSAGE_ID=3ae5f15ff8304e33aea22f0c164c4744"

/* Reports a node's change; detail (or NULL) is the check's own words. */
void event_node_state(const char *node, const struct score_edge *edge, const char *detail);
