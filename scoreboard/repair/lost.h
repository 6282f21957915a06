/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * lost.h: slots with a holder that could not be read, and tickets that are gone.
 *
 * A lost slot counts as taken. The records "lost/PAGE" name the processes that had
 * the scoreboard open when it was repaired: one of them holds the slot, or no process
 * does. Each of these processes says what it holds the next time that it uses the
 * scoreboard, takes its own slots, and is struck off the record. A process that has
 * ended is struck off, too. A process may be on the record only because its
 * descriptors were hidden from the process that repaired: it is struck off when a
 * process that may see them finds that it does not have the file. A process of
 * another farm is not on the record: its wake-up port says of which farm it is
 * (system/wake.h). A process that /proc does not show is on the record by its port,
 * with start 0, and is struck off when it has that port no more. When no process is left on the record the lost slots are free.
 *
 * A ticket is its owner's until the owner leaves the queue, whatever the queue
 * says. An owner that finds its ticket missing puts it back, by its number, into
 * any free cell.
 */

#include <stddef.h>

#include "farm/section.h"
#include "types.h"

/* In a transaction: makes the records that name these processes; n 0 removes the records. Sets the farm's fields. 0 or
 * -errno. */
int lost_begin(struct store *store, struct farm *farm, const struct holder *witnesses, size_t n);

/* How many processes on the record have not been heard of: the farm's record must say the same number. 0; -EUCLEAN if
 * the record cannot be true; or -errno. */
int lost_count(struct store *store, uint32_t *ret);

/* Says what this process holds, in a section of its own, if slots are lost and the process has not said so. 0 or
 * -errno. */
int lost_answer(struct score *s);

/* Strikes the processes off the record that have ended, or turn out not to have the file, and asks the others again. In
 * sections of its own. 0 or -errno. */
int lost_reap(struct score *s);
