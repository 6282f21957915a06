/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * event.h: reports that a node went up or down: once for each change, never for
 * a result that changed nothing.
 */

#include "scoreboard.h"

/* Names the farm in journal entries from now on; the name stays the caller's. */
void event_set_farm(const char *name);

/* Reports a node's change; detail (or NULL) is the check's own words. */
void event_node_state(const char *node, const struct score_edge *edge, const char *detail);
