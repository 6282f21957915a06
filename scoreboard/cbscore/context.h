/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * context.h: what every verb of cbscore(1) is given, and what they share.
 */

#include <stdbool.h>

#include "command/command.h"
#include "command/farm_options.h"
#include "scoreboard.h"

/* Exit statuses; EX_CONFIG (78) of sysexits.h for a bad node list. */
enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,     /* it could not be done; one line on stderr says why */
	STATUS_USAGE = 2,
	STATUS_NO_NODE = 3,
};

struct context {
	struct farm_options farm; /* which farm; the first member, see farm_options.h */
	const char *output;      /* --output, or NULL */
	const char *sort;        /* --sort, or NULL */
	bool no_headings, raw, json;
	bool interactive;        /* --interactive: the verb shell, where none is given */
};

/* The verb that this process runs; for messages. NULL before it is known. */
extern const struct verb *context_verb;

/* The command line, for the verbs that are about verbs. */
extern const struct command command;

/* One line on stderr: "cbscore: ...". */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells a usage error of the verb, with a pointer to its --help. Returns STATUS_USAGE. */
int complain_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says why the scoreboard refused, from a -errno of scoreboard.h. Returns STATUS_FAILED. */
int complain_score(const struct context *context, int error);

/* From now on a rebuild of a damaged scoreboard is told on stderr. context_open() does so itself. */
void context_tell_of_damage(void);

/*
 * Opens the scoreboard; if there is none, it is made from the node list.
 * STATUS_OK and *ret, which is the caller's; or a status, and it was told.
 */
int context_open(const struct context *context, struct score **ret);

/* The same for a verb that only looks: if there is no scoreboard, that is an error. */
int context_look(const struct context *context, struct score **ret);

/* Reads a node list ("-": standard input) and shows its errors and their sum. STATUS_OK and *ret, the caller's; or a status, and *ret is empty. */
int context_read_nodes(const char *path, struct nodelist *ret);
