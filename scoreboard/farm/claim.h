/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * claim.h: what the rest of the library needs of claim.c, the only place where
 * slots change hands.
 */

#include "section.h"
#include "records/node.h"
#include "records/queue.h"
#include "types.h"
#include "records/slot.h"

/* Opens the nodes that are due for their next trial, each for a single connection: some of them, as below. Commits. 0 or
 * -errno. */
int claim_open_due(struct score *s, struct farm *farm);

/* Grants free slots to the oldest live waiters, to each by its own policy, until no slot or no waiter is left, or until it
 * has done so much that others must have their turn: then the operation goes on in further sections (operations.c).
 * Commits. 0 or -errno. */
int claim_dispatch(struct score *s, struct farm *farm);

/* Frees a slot, whichever process held it. A trial on it has shown nothing. Staged only. 0 or -errno. */
int claim_free_slot(struct score *s, struct farm *farm, uint32_t position, struct slot *slot, uint32_t number);

/* Changes the flags of an index entry, and what is derived from them. Staged only. 0 or -errno. */
int claim_set_flags(struct score *s, struct farm *farm, uint32_t position, uint32_t set, uint32_t clear);

/* The position of the node that the next connection of the client gets, for which the policy may stage what it changes. 0, 1 if
 * there is none, or -errno. */
int claim_choose(struct score *s, struct farm *farm, enum score_policy policy, const char *client, uint32_t *ret);

/* Gives the first free slot of the node at position, whatever the node's state, to a holder. Staged only. 0 or -errno. */
int claim_occupy(struct score *s, struct farm *farm, uint32_t position, struct index_entry *entry, const struct slot *with,
		 uint32_t *ret_node, uint32_t *ret_number, bool *ret_trial);

/* Takes a free slot for this process, if there is one and no ticket before this one waits. Staged only. 0, 1, or
 * -errno. */
int claim_take_free(struct score *s, struct farm *farm, enum score_policy policy, const char *client, uint64_t ticket,
		    struct score_slot *ret, struct score_target *ret_target);

/* Whether the policy and the order have all records that they want. */
bool claim_is_ready(const struct farm *farm, const struct score_arrival *arrival);

/* Makes the records that the policy and the order want, in a transaction, outside of any section. If they cannot be made,
 * both do without. 0, or -errno after damage. */
int claim_make_ready(struct score *s, const struct score_arrival *arrival);

/* Whether a connection that this process brings by the policy may wait though a slot is free. */
bool claim_is_patient(const struct score *s, enum score_policy policy);

/* Whether the best free slot is kept from so many waiters, of which the next is patient. *ret_begins: it was not kept until the
 * same time before. Staged only. */
bool claim_keeps(struct score *s, const struct farm *farm, uint64_t waiting, bool *ret_begins);

/* Whether a connection that comes now would get a slot at once: 0 yes, 1 no. */
int claim_is_free(const struct farm *farm);

/* What a relay must know of the node of its slot. 0 or -errno. */
int claim_describe(struct score *s, uint32_t node, struct score_target *ret);
