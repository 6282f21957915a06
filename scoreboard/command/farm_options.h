/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm_options.h: the options, common to all programs, that say which farm a
 * program works on. The farm's name leads to its node list and its scoreboard; an
 * option can also name either of them directly.
 */

#include <errno.h>

#include "command.h"
#include "scoreboard.h"

#define FARM_NAME_MAX 63

/* The first member of a program's settings, which stays where it is. Begins empty; see farm_options_settle(). */
struct farm_options {
	const char *name;          /* --farm, or NULL */
	const char *nodes;         /* --config: the node list */
	const char *scoreboard;    /* --scoreboard */
	bool nodes_given, scoreboard_given; /* named explicitly, not the standard path */
	char nodes_path[FARM_NAME_MAX + 32], scoreboard_path[FARM_NAME_MAX + 32], shown[FARM_NAME_MAX + 1];
	char holds_path[FARM_NAME_MAX + 48]; /* where holds are kept; empty for a scoreboard elsewhere than in /run/corebalance */
};

/* Setters of the rows below; settings begins with a struct farm_options. 0 or -EINVAL. */
int farm_options_set_name(void *settings, const char *value);
int farm_options_set_nodes(void *settings, const char *value);
int farm_options_set_scoreboard(void *settings, const char *value);

/* The rows of these options; help says what the program does with the node list. */
#define FARM_OPTION_ROWS(help) \
	{ "farm", 'f', "NAME", "the farm of /etc/corebalance/NAME.conf and /run/corebalance/NAME.tdb", "$COREBALANCE_FARM", \
	  "letters, digits, dots, dashes and underscores, at most 63, the first a letter or a digit", farm_options_set_name, \
	  NULL }, \
	{ "config", 'c', "FILE", help, SCORE_DEFAULT_NODES, "a file", farm_options_set_nodes, NULL }, \
	{ "scoreboard", 's', "FILE", "scoreboard", "$COREBALANCE_SCOREBOARD or " SCORE_DEFAULT_PATH, "a file", \
	  farm_options_set_scoreboard, NULL }

/*
 * Fills in the paths that no option gave: those of the named farm, else of the
 * environment, else the standard paths. 0; -EINVAL: $COREBALANCE_FARM is not a
 * valid name.
 */
int farm_options_settle(struct farm_options *options);

/* From now on $COREBALANCE_SCOREBOARD, and $COREBALANCE_FARM if the farm has a name, lead the commands that this program
 * runs to its farm. The standard farm has no name, and what has the name "corebalance" would be another. 0 or -errno. */
int farm_options_export(const struct farm_options *options);

/* The label of the farm where several farms are shown: its name; "ci" for a scoreboard ci.tdb; "corebalance" for the
 * standard scoreboard; "stand-alone" for that of a stand-alone farm. Valid as long as options. */
const char *farm_options_shown(struct farm_options *options);
