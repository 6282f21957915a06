/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * local.h: this gateway's own scoreboard beside what is known of the engine: how many connections each node has, and which
 * limit.
 */

#include "balance.h"

/* Looks at the farm. Fills all of *own but lease_usec and leaving, whose now_usec is the time of this turn, and *ret_lease with
 * the farm's lease. 0; or -errno of the farm, or -ENOMEM: nodes are as they were seen before. */
int local_look(struct known *k, const struct gateway_farm *farm, struct own *own, uint64_t *ret_lease);

/* Gives each node the limit that follows from its share and its offer. While the outcome of a commit is not known no limit
 * rises. *ret_lowered: whether a limit fell. 0 or -errno of the farm. */
int local_limit(struct known *k, const struct gateway_farm *farm, bool settled, bool *ret_lowered);
