/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * action.h: a verb with what it needs. A verb is a function that gets this:
 * nothing, the open scoreboard, or a copy of the farm. Opening, closing, and the
 * words of a failure are the same for all verbs, and stand in action.c.
 */

#include "context.h"
#include "web/snapshot.h"

struct action {
	struct verb verb;          /* how it is called; must be the first member, see action_of() */

	/* Reads the arguments before anything is opened, so that a mistake changes nothing. NULL: there is nothing to
	 * read. STATUS_OK; or another status, and the mistake was told. */
	int (*read)(const struct context *context);

	/* What the verb does; one of these. A verb with both look and change only looks if it has no arguments. Each
	 * returns a status, and has told why; or a -errno of scoreboard.h, which is told for it. */
	int (*run)(const struct context *context); /* opens no scoreboard, or does so in a way of its own */
	int (*look)(const struct context *context, struct score *score);   /* the scoreboard, which must be there */
	int (*change)(const struct context *context, struct score *score); /* the same; made from the node list if missing */
	int (*tell)(const struct context *context, const struct snapshot *snapshot); /* the farm as it is in this moment */

	/* For a verb that answers on standard output whatever happens: the answer when the scoreboard cannot be read.
	 * Returns the exit status. NULL: the reason is told on stderr, and the status is STATUS_FAILED. */
	int (*unreadable)(const struct context *context, const char *why);

	/* It works on no farm, or on the machine's own, of which the node list is: no stand-alone farm is looked for. */
	bool no_stand_alone;
};

/* The action of a verb in the table of cbscore. */
const struct action *action_of(const struct verb *verb);

/* Carries out a verb. Returns the exit status; every error was told. */
int action_run(const struct action *action, const struct context *context);

/* Tells why a verb has no farm to work on, as .unreadable does. Returns the exit status. */
int action_fail(const struct action *action, const struct context *context, const char *why);
