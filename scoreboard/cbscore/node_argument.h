/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * node_argument.h: the NODE of a verb: a node's name, host:port, or its host
 * alone if only one node has that.
 */

#include "context.h"

/*
 * Finds the nodes that n words mean, all of them before anything is done.
 * STATUS_OK and *ret, n nodes in the order of the words, the caller's to free;
 * or a status, *ret is NULL, and every word that means none was told with the
 * nearest right ones.
 */
int node_arguments_find(const struct context *context, struct score *score, int n, char **words,
			struct score_node **ret);

/* The same for one word. STATUS_OK and *ret; or a status, and it was told. */
int node_argument_find(const struct context *context, struct score *score, const char *word, struct score_node *ret);

/* The node of that name as it is now. STATUS_OK; STATUS_NO_NODE, untold; or another status, and it was told. */
int node_look(const struct context *context, struct score *score, const char *name, struct score_node *ret);
