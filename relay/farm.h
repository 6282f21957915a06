/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm.h: the farm that this process serves: the scoreboard of a node list, or,
 * for nodes that are arguments, a scoreboard of their own (see alone.h).
 */

#include "command/alone.h"
#include "options.h"
#include "scoreboard.h"

struct farm {
	struct score *score;
	struct alone alone;        /* the folder of a stand-alone farm's scoreboard */
	char *wrong;               /* what was wrong with the node list, which counts as empty; NULL: nothing */
};

/* What the farm is opened for. */
enum farm_use {
	FARM_OF_CONNECTION,        /* for a connection that a service manager or inetd has accepted */
	FARM_OF_MANAGER,           /* for a listener whose sockets are the service manager's or inetd's */
	FARM_OF_COMMAND_LINE,      /* for a listener that opened its sockets by itself */
};

/* Whether the options ask for a stand-alone farm, with a scoreboard of its own. */
bool farm_is_alone(const struct options *options);

/* Tells every mistake in the nodes of the command line. EX_OK, also if it names none; EX_CONFIG; or EX_OSERR. */
int farm_check_arguments(const struct options *options);

/* Opens the farm that the options name. A node list that is missing or wrong is an error for FARM_OF_COMMAND_LINE. Else
 * it counts as empty: clients wait until it is loaded. EX_OK; EX_CONFIG or EX_OSERR: the reason has been told. In each
 * case *ret is to be closed by farm_close(). */
int farm_open(const struct options *options, enum farm_use use, struct farm *ret);

/* Closes the scoreboard, and removes that of a stand-alone farm. */
void farm_close(struct farm *farm);
