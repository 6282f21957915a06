/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * context.h: what every verb of cbscore(1) gets, and what verbs share.
 */

#include <limits.h>
#include <stdbool.h>

#include "command/command.h"
#include "command/farm_options.h"
#include "scoreboard.h"

/* Exit statuses; EX_CONFIG (78) of sysexits.h for a bad node list. */
enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,     /* the verb failed; one line on stderr says why */
	STATUS_USAGE = 2,
	STATUS_NO_NODE = 3,
};

struct context {
	struct farm_options farm; /* which farm; must be the first member, see farm_options.h */
	const char *output;      /* --output, or NULL */
	const char *sort;        /* --sort, or NULL */
	bool no_headings, raw, json;
	bool interactive;        /* --interactive: the verb shell, if no verb is given */
	const char *farm_shown;  /* the farm's label */
	int n_arguments;         /* the words behind the verb, as many as its row says */
	char **arguments;
};

#define CONTEXT_WHY_MAX (2 * PATH_MAX + 1024) /* bytes of a message, which may name two files */

/* The option --json, for any verb that has a form for programs. */
int context_set_json(void *settings, const char *value);
#define JSON_ROW { "json", 'J', NULL, "JSON", NULL, NULL, context_set_json, NULL }

/* The verb that this process runs, for messages; NULL before it is known. */
extern const struct verb *context_verb;

/* The tables of the command line, for verbs that work on verbs. */
extern const struct command command;

/* Writes one line to stderr: "cbscore: ...". */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells a usage error of the verb, with a pointer to its --help. Returns STATUS_USAGE. */
int complain_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells that the farm has no node of that name. Returns STATUS_NO_NODE. */
int complain_no_node(const char *name);

/* Writes why the scoreboard refused, from a -errno of scoreboard.h, and what helps. Returns text. */
const char *context_why(const struct context *context, int error, char text[static CONTEXT_WHY_MAX]);

/* Says the same on stderr. Returns STATUS_FAILED. */
int complain_score(const struct context *context, int error);

/* From now on a rebuild of a damaged scoreboard is told on stderr. context_open() and context_look() call this
 * themselves. */
void context_tell_of_damage(void);

/*
 * Opens the scoreboard; if there is none, makes it from the node list. STATUS_OK
 * and *ret, which the caller closes; STATUS_FAILED and why; or EX_CONFIG: the node
 * list has mistakes, which were told; why has their number.
 */
int context_open(const struct context *context, struct score **ret, char why[static CONTEXT_WHY_MAX]);

/* As context_open(), for a verb that only looks: a missing scoreboard is an error. */
int context_look(const struct context *context, struct score **ret, char why[static CONTEXT_WHY_MAX]);

/* Reads a node list ("-": standard input) and shows its errors, the first most of them, and their number. STATUS_OK and
 * *ret, which the caller clears; or another status, and *ret is empty. */
int context_read_nodes(const char *path, size_t most, struct nodelist *ret);
