/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * load.h: makes the farm's set of nodes. What programs call, score_load(),
 * stands in scoreboard.h.
 */

#include "scoreboard.h"
#include "store/store.h"

/* Fills a store that has nothing but been created with an empty farm. 0 or -errno. */
int load_format(struct store *store);

/* Removes the nodes that are to go and have no connection left. 0 or -errno. */
int score_collect(struct score *s);

/* After damage: adds those nodes of the list that the farm does not have; what it has stays as it is, also what the
 * list does not know. 0 or -errno. */
int load_missing(struct score *s, const struct nodelist *list);
