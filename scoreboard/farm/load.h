/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * load.h: makes the farm's set of nodes. What programs call, score_load(),
 * stands in scoreboard.h.
 */

#include "records/origin.h"
#include "types.h"

struct score;
#include "store/store.h"
#include "system/timespan.h"

#define LOAD_RESOLVE_USEC (10 * USEC_PER_SEC)
#define LOAD_AGAIN_MAX 16u /* so often other processes may change the farm's nodes while this process does */

/* Fills a store that was just created with an empty farm: for processes in the surroundings of this one, and of no list
 * yet. 0 or -errno. */
int load_format(struct store *store);

/* The node list that the farm was made from, empty if none is known. 0 or -errno. */
int load_list(struct score *s, char ret[static ORIGIN_LIST_MAX + 1]);

/* Removes the nodes that are to go and have no connection left. 0 or -errno. */
int score_collect(struct score *s);

/* After damage: adds those nodes of the list that the farm does not have. The farm's nodes stay as they are, also those
 * that the list does not have. 0 or -errno. */
int load_missing(struct score *s, const struct nodelist *list);
