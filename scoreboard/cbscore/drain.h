/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * drain.h: waits until nodes that take no new connections have none left, for
 * --wait of the verbs down and remove.
 */

#include "context.h"

/* --wait, --timeout and --kill. */
extern const struct option_set drain_options;

/*
 * If --wait was given: waits until none of the n nodes has a connection, and
 * tells how many are left. With --kill it ends the connections, at once or when
 * --timeout is over. STATUS_OK: done, or --wait was not given. STATUS_FAILED: the
 * time was over first, or an error, which was told.
 */
int drain_wait(const struct context *context, struct score *score, const struct score_node *nodes, size_t n);
