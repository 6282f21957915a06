/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * node_argument.h: the NODE of a verb: a node's name, host:port, or its host
 * alone if only one node has that host.
 */

#include "context.h"

/*
 * Finds the nodes that n words name, so that a verb knows all before it changes
 * any. STATUS_OK and *ret, n nodes in the order of the words, which the caller
 * frees. Or another status, *ret is NULL, and every word that names no node was
 * told with the most similar names.
 */
int node_arguments_find(const struct context *context, struct score *score, int n, char **words,
			struct score_node **ret);

/*
 * Opens the scoreboard, finds the nodes that n words name, and calls each for
 * every node in turn, then after (may be NULL) once with all of them. Both return
 * a status; the first that is not STATUS_OK ends it. If a word names no node,
 * nothing is called. Returns that status.
 */
int node_arguments_each(const struct context *context, int n, char **words,
			int (*each)(const struct context *context, struct score *score, const struct score_node *node),
			int (*after)(const struct context *context, struct score *score, const struct score_node *nodes,
				     size_t n));

/* As node_arguments_find(), for one word. STATUS_OK and *ret; or another status, and the error was told. */
int node_argument_find(const struct context *context, struct score *score, const char *word, struct score_node *ret);

/* Reads the node of that name anew. STATUS_OK; STATUS_NO_NODE, without a message; or another status, and the error was
 * told. */
int node_look(const struct context *context, struct score *score, const char *name, struct score_node *ret);
