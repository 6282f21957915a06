/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * turn.h: whose turn it is: the waiter that gets the next slot. It is the oldest
 * waiter; in a farm that is fair (fair.h), the oldest of the client that holds the
 * fewest slots. A waiter with a client that has all the slots that it may keeps its
 * place, and slots go to waiters behind it.
 */

#include <stdint.h>

#include "per_client.h"
#include "section.h"

/* The cell of the waiter that gets the next slot. full is one for all calls of a section. Staged only. 0; 1: no waiter may have
 * a slot; or -errno. */
int turn_next(struct score *s, const struct farm *farm, struct clients_full *full, uint32_t *ret);

/* Notes that a slot is the client's no more: if waiters of the client may be passed (records/passed.h), s->room_for has its
 * name for the rest of the section, and turn_next() looks for them. Staged only. */
void turn_make_room(struct score *s, const char *client);

/* Forgets, at the end of the section, the client that it has made room for. If that client still has room, and slots are
 * wanting, all waiters are to be looked at next time. Staged only. 0 or -errno. */
int turn_settle(struct score *s, const struct farm *farm, struct clients_full *full);
