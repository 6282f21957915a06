/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm.h: the farm that this process serves: the scoreboard of a node list, or,
 * for nodes that are arguments, a private scoreboard that ends with the process.
 */

#include "options.h"
#include "scoreboard.h"

struct farm {
	struct score *score;
	char *own_path;            /* of a private scoreboard, or NULL */
};

/* Opens the farm that the options name. EX_OK; EX_CONFIG or EX_OSERR: the reason has been told. In each case *ret is to
 * be closed by farm_close(). */
int farm_open(const struct options *options, struct farm *ret);

/* Closes the scoreboard, and removes a private scoreboard. */
void farm_close(struct farm *farm);
