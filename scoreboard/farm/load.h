/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * load.h: makes the farm's set of nodes. What programs call, score_load(),
 * stands in scoreboard.h.
 */

#include "records/origin.h"
#include "scoreboard.h"
#include "store/store.h"

/* Fills a store that has nothing but been created with an empty farm of the processes around this one, and of no list
 * yet. 0 or -errno. */
int load_format(struct store *store);

/* The node list that the farm was made from, empty if none is known. 0 or -errno. */
int load_list(struct score *s, char ret[static ORIGIN_LIST_MAX + 1]);

/* Removes the nodes that are to go and have no connection left. 0 or -errno. */
int score_collect(struct score *s);

/* After damage: adds those nodes of the list that the farm does not have; what it has stays as it is, also what the
 * list does not know. 0 or -errno. */
int load_missing(struct score *s, const struct nodelist *list);
