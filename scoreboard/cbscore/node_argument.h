/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * node_argument.h: the NODE of a verb: a node's name, host:port, or its host
 * alone if only one node has that.
 */

#include "context.h"

/* Finds the node that word means. STATUS_OK and *ret; or a status, and it was told. */
int node_argument_find(const struct context *context, struct score *score, const char *word, struct score_node *ret);
