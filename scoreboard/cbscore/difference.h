/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * difference.h: how a node list and the farm differ, a line for each node.
 */

#include "context.h"

/* Counts of what a load of the list would do. */
struct difference {
	unsigned added, changed, draining, kept;
};

/*
 * Tells what a load of the list would do: "+ NODE added", "- NODE draining",
 * "~ NODE cores 8 -> 4"; with --json as one object. 0 and *ret; or -errno.
 */
int difference_tell(const struct context *context, struct score *score, const struct nodelist *list,
		    struct difference *ret);
