/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * node_argument.h: the NODE of a verb: a node's name, host:port, or its host
 * alone if only one node has that host.
 */

#include "context.h"

/* What a verb does with a node. Returns a status, and has told why; or -errno, with -ENOENT for a node that has gone. */
typedef int node_argument_each(const struct context *context, struct score *score, const struct score_node *node);

/* What it does then with all of them. Returns as the function above. */
typedef int node_argument_after(const struct context *context, struct score *score, const struct score_node *nodes, size_t n);

/*
 * Finds the nodes that the first n arguments name, and calls each for every node
 * in turn, then after (may be NULL) once with all of them. What is not STATUS_OK
 * ends it and is returned. If a word names no node, nothing is called: every
 * such word was told with the most similar names, and STATUS_NO_NODE is returned,
 * as for a node that has gone meanwhile.
 */
int node_arguments_each(const struct context *context, struct score *score, int n, node_argument_each *each,
			node_argument_after *after);

/* Reads the node of that name anew. 0; -ENOENT: it has gone; or another -errno. */
int node_look(struct score *score, const char *name, struct score_node *ret);
