/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * party_tree.h: which ticket of all parties is next. The records "party/LEVEL/PAGE"
 * above the pages of parts (party_page.h) are a tree: an item sums up the page of that
 * number on the level below, by the first of its parts to get a slot. A part of which
 * no ticket waits, or with a party that holds as many slots as the part's limit, gets
 * none. Of the others it is the part of the party that holds the fewest slots; of equal
 * parties the party that has held so few for the longest, since it came, or got or gave
 * back a slot; of a party's parts that with the oldest ticket. So the next ticket is
 * found, and a change is noted, by one page a level, whatever the limits and however
 * many may have none. (The oldest ticket does not tell which of equal parties is next:
 * two clients that queue a thousand each would take turns without the third, whose
 * ticket is younger.)
 */

#include <stdint.h>

#include "farm.h"
#include "party_page.h"
#include "store/store.h"

/* After parts of a page were changed: writes what is above that page, as far as it changes. Staged only. 0 or -errno. */
int party_tree_update(struct store *store, const struct farm *farm, uint32_t page);

/* The cell of the ticket that is to get the next slot. 0; 1: no ticket waits that may have a slot; or -errno. */
int party_tree_next(struct store *store, const struct farm *farm, uint32_t *ret);

/* In a transaction: writes the whole tree above pages, which are all pages of parts, in memory. 0 or -errno. */
int party_tree_put(struct store *store, const struct farm *farm, const struct party_page *pages);
