/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * drain.h: waits until nodes that take no new connections have none left, for
 * --wait of the verbs down and remove.
 */

#include "context.h"

/* --wait, --timeout and --kill. */
extern const struct option_set drain_options;

/* Checks that these options go together, before anything is changed: .read of their verbs. STATUS_OK or STATUS_USAGE. */
int drain_read(const struct context *context);

/*
 * If --wait was given: keeps the holds for the next boot (keep_holds.h), waits
 * until none of the n nodes has a connection, and tells how many are left. With
 * --kill it ends the connections, at once or when --timeout is over. STATUS_OK:
 * done, or --wait was not given. STATUS_FAILED: the time was over first, or an error,
 * which was told; or -errno.
 */
int drain_wait(const struct context *context, struct score *score, const struct score_node *nodes, size_t n);

/* Prints "; N connections of it go on", the end of a sentence about a node that takes no more; nothing if busy is 0. */
void drain_tell_busy(uint32_t busy);
