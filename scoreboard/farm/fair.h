/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * fair.h: the order of a farm that is fair (farm.fair): the next slot goes to the
 * client that holds the fewest, to its oldest ticket. Each change of a slot's or
 * ticket's state says so here, in the same commit; in a farm without parties
 * (party.h) that does nothing.
 */

#include <stdbool.h>

#include "records/slot.h"
#include "section.h"

/* Whether there are the records that a connection's order wants. */
bool fair_is_ready(const struct farm *farm, const struct score_arrival *arrival);

/* In a transaction, on the caller's own copy of the farm's record: makes them. 0 or -errno. */
int fair_make_ready(struct score *s, struct farm *farm);

/* As fair_make_ready(): makes room for more parties, if this process met -EXFULL for want of that. 0 or -errno. */
int fair_make_room(struct score *s, struct farm *farm);

/* Sets which order the farm has from this connection on; alone: no other ticket waits. Staged only. */
void fair_order(struct score *s, struct farm *farm, const struct score_arrival *arrival, bool alone);

/* Staged only: a client has got a slot; a slot is to be freed, or given to another client; the ticket in a cell waits.
 * 0; -EXFULL: ticket_make_room() must be called first; or -errno. queue_unlink() says that a ticket waits no longer. */
int fair_held(struct score *s, struct farm *farm, const char *client);
int fair_released(struct score *s, struct farm *farm, const struct slot *slot);
int fair_waits(struct score *s, struct farm *farm, uint32_t cell);
