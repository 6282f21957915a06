/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * ticket.h: what the rest of the library needs of a waiter's place in the
 * queue.
 */

#include <stdint.h>

#include "records/queue.h"
#include "section.h"
#include "types.h"

/* Notes the client's name in a ticket. */
void ticket_name(struct score_ticket *ticket, const char *client);

/* Takes a place in the queue for this process, in the order of the numbers; policy and per_client as in struct
 * score_arrival. Staged only. 0; -EXFULL: the queue needs more room first; or -errno. */
int ticket_join(struct score *s, struct farm *farm, uint64_t number, enum score_policy policy, const char *client,
		uint32_t per_client, struct score_ticket *ret);

/* Sets how many slots the client of a ticket may have, in the ticket and in its cell. Staged only. */
void ticket_limit(struct score *s, struct cell *cell, struct score_ticket *ticket, uint32_t per_client);

/* Makes room in the queue, or for parties (party.h): a transaction, so outside of any section. 0 or -errno. */
int ticket_make_room(struct score *s);

/* The outcome of an attempt, in a section of its own, that may end with -EXFULL: then there is made room, and it is repeated. */
#define WITH_ROOM(s, attempt) \
	({ \
		int made_ = 0, tried_; \
		while ((tried_ = (attempt)) == -EXFULL && (made_ = ticket_make_room(s)) == 0) \
			; \
		made_ < 0 ? made_ : tried_; \
	})

/* Puts a lost ticket of this process back into the queue, at its place in the order, and notes the new cell in *ticket.
 * 0, also if the ticket is there; or -errno. */
int ticket_put_back(struct score *s, struct score_ticket *ticket);
