/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * ending.h: ends connections for an administrator. The relay that holds the slot
 * gets SIGTERM: it ends its connection and releases the slot.
 */

#include "context.h"

/* A connection, as it was when the scoreboard was read. */
struct held_slot {
	char node[NODE_NAME_MAX + 1];
	char client[SCORE_CLIENT_MAX + 1];
	uint32_t slot;
	pid_t pid;
	uint64_t since_usec, begun_usec; /* as in score_slot_info */
	bool taken;                /* false: a slot was granted, and nothing is connected yet */
};

struct held_slots {
	struct held_slot *slots;
	size_t n, room;
};

/* Copies the slots for which wanted() holds, or all if it is NULL, into *ret; the caller frees ret->slots. 0 or -errno. */
int held_slots_find(struct score *score, bool (*wanted)(const struct score_slot_info *slot, const void *arg),
		    const void *arg, struct held_slots *ret);

/* Notes in the journal that an administrator has ended the connection. */
void held_slot_note_end(const struct held_slot *held);

/*
 * Ends a connection, if the slot still has that connection. 0; 1: it had ended
 * already; -EINVAL: no relay holds the slot, but a check or a waiter that has not
 * taken it yet; -EXDEV: the process that the scoreboard names does not belong to
 * this farm; or -errno of pidfd_open(2) or pidfd_send_signal(2).
 */
int held_slot_end(struct score *score, const struct held_slot *held);

/* What a -errno of held_slot_end() means, as the end of a sentence. Never NULL. */
const char *held_slot_strerror(int error);
