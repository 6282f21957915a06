/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * lost.h: slots of which it could not be read who holds them, and tickets that are gone.
 *
 * A lost slot counts as taken. The records "lost/PAGE" name the processes that had
 * the scoreboard open when it was mended: the holder is one of them, or nobody.
 * Each says what it holds the next time that it uses the scoreboard, takes
 * what is its own, and is taken off the record; so is one that has ended, and
 * one that was only suspected by somebody who may not see its descriptors, when
 * somebody looks who may. When none is left the lost slots are free.
 *
 * A ticket is its owner's as long as he has not left, whatever the queue says:
 * if he finds that it is not there he puts it back, by its number, into any
 * cell that is free.
 */

#include <stddef.h>

#include "farm/section.h"
#include "scoreboard.h"

/* In a transaction: makes the records of these; n 0 removes them. Sets the farm's fields. 0 or -errno. */
int lost_begin(struct store *store, struct farm *farm, const struct holder *witnesses, size_t n);

/* How many on the record have not been heard of: what the farm's record must say. 0; -EUCLEAN if the record cannot be
 * what it says; or -errno. */
int lost_count(struct store *store, uint32_t *ret);

/* Says what this process holds, in a section of its own, if slots are lost and it has not said so. 0 or -errno. */
int lost_answer(struct score *s);

/* Takes those off the record that have ended, or turn out not to have the file, and asks the others again. Sections of
 * its own. 0 or -errno. */
int lost_reap(struct score *s);

/* A copy of those on the record that have not been heard of, to be freed by the caller. 0; -EUCLEAN if the record
 * cannot be what it says, or the farm's says another; or -errno. */
int lost_get(struct store *store, const struct farm *farm, struct holder **ret, size_t *ret_n);

/* Takes one off the record, and ends the matter with the last. Commits. 0; -EUCLEAN as above; or -errno. */
int lost_strike(struct score *s, struct farm *farm, const struct holder *whom);

/* Nobody is left who may hold what was lost: the slots are free, and go to who waits. Commits. 0 or -errno. */
int lost_finish(struct score *s, struct farm *farm);
