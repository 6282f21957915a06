/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* party_build.h: the records of all parties (party.h) made anew, from the slots that are held and the cells of the queue. */

#include <stdint.h>

#include "farm.h"
#include "store/store.h"

/* In a transaction, after the slots, the index and the queue were written: if farm.parties is not 0, makes the records what
 * follows from the slots and cells, for so many parties or for more. Changes farm; the caller writes it. 0; -EUSERS beyond
 * 16 million; or -errno. */
int party_build(struct store *store, struct farm *farm);

/* As party_build(), for twice as many parties as before. */
int party_grow(struct store *store, struct farm *farm);
