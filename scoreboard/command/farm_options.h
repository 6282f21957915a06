/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm_options.h: which farm a program is about: the options that every
 * program has. A farm has a name, by which its node list and its scoreboard are
 * found; either can be named by itself.
 */

#include <errno.h>

#include "command.h"
#include "scoreboard.h"

#define FARM_NAME_MAX 63

/* The first member of what a program's options are set in. Empty to begin with; see farm_options_settle(). */
struct farm_options {
	const char *name;          /* --farm, or NULL */
	const char *nodes;         /* --config: the node list */
	const char *scoreboard;    /* --scoreboard */
	bool nodes_given, scoreboard_given; /* not by the standard path alone */
	char nodes_path[FARM_NAME_MAX + 32], scoreboard_path[FARM_NAME_MAX + 32], shown[FARM_NAME_MAX + 1];
};

int farm_options_set_name(void *settings, const char *value);
int farm_options_set_nodes(void *settings, const char *value);
int farm_options_set_scoreboard(void *settings, const char *value);

/* The rows of these options; help says what the program does with the node list. */
#define FARM_OPTION_ROWS(help) \
	{ "farm", 'f', "NAME", "the farm of /etc/corebalance/NAME.conf and /run/corebalance/NAME.tdb", "$COREBALANCE_FARM", \
	  "letters, digits, dots, dashes and underscores, at most 63", farm_options_set_name, NULL }, \
	{ "config", 'c', "FILE", help, SCORE_DEFAULT_NODES, "a file", farm_options_set_nodes, NULL }, \
	{ "scoreboard", 's', "FILE", "scoreboard", "$COREBALANCE_SCOREBOARD or " SCORE_DEFAULT_PATH, "a file", \
	  farm_options_set_scoreboard, NULL }

/*
 * Fills in what no option said: the paths of the named farm, else the
 * environment's, else the standard ones. 0; -EINVAL: $COREBALANCE_FARM is no
 * name.
 */
int farm_options_settle(struct farm_options *options);

/* What the farm is called where several are seen side by side: its name; "ci" for a scoreboard ci.tdb; "corebalance" for
 * the standard one. Valid as long as options. */
const char *farm_options_shown(struct farm_options *options);
