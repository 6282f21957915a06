/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * queue.h: the farm's one queue. A ticket is in a cell; cells are in pages of
 * eight, the record "queue/PAGE". Waiting cells form a list in the order of their
 * numbers, oldest first. Granted cells have a slot that the waiter has not taken
 * yet; they form a second such list, and free cells a third list.
 */

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"
#include "types.h"
#include "store/store.h"
#include "system/holder.h"
#include "system/wake.h"

#define CELLS_PER_PAGE 8u
#define CELLS_FIRST 256u     /* of a new queue; no queue ever has fewer */
#define QUEUE_CELLS_MAX (UINT32_C(1) << 24)

enum cell_state {
	CELL_FREE,
	CELL_WAITING,
	CELL_GRANTED,
};

#define CELL_PATIENT 0x8000u /* set in a policy: the waiter waits for a faster slot though a slot is free, see patience.h */

struct cell {
	uint64_t number;           /* the order of arrival */
	struct holder owner;
	uint64_t since_usec;       /* CLOCK_BOOTTIME */
	uint16_t state;            /* enum cell_state */
	uint16_t policy;           /* enum score_policy, by which the waiter's node is chosen; and CELL_PATIENT */
	uint32_t next, prev;       /* in its list; a free cell has no prev */
	uint32_t node, slot;       /* when granted */
	uint32_t per_client;       /* its client may have so many slots; 0: any number */
	uint32_t kin_next, kin_prev; /* while it waits: the next tickets of its party, younger and older; see party.h */
	char wake[WAKE_NAME_SIZE];
	char client[SCORE_CLIENT_MAX + 1];
};

struct cell_page {
	struct cell cells[CELLS_PER_PAGE];
};

/* Finds a cell by its number. 0; -EUCLEAN: there is none; or -errno. */
int queue_get(struct store *store, const struct farm *farm, uint32_t number, struct cell **ret);

/* Copies a cell into the caller's memory, for walks along the queue. As queue_get(). */
int queue_read(struct store *store, const struct farm *farm, uint32_t number, struct cell *ret);

/* A page of cells that was read, for a long walk: neighbours in the queue are mostly neighbours in a page. */
struct cell_reader {
	struct cell_page page;
	uint32_t number;           /* of the page; NONE at first */
};

/* As queue_read(), but reads a page once for neighbours. *ret is the reader's, and valid until the next call. */
int queue_read_next(struct store *store, const struct farm *farm, uint32_t number, struct cell_reader *reader,
		    const struct cell **ret);

/* Finds the cell of a ticket. 0; -ESTALE: it is no longer there; or -errno. */
int queue_find(struct store *store, const struct farm *farm, const struct score_ticket *ticket, struct cell **ret);

/* Puts a ticket of that number at its place in the queue, and fills in owner, policy, client, since and wake name;
 * per_client is 0.
 * 0 and *ret_cell; -EXFULL if the queue must be grown first; or -errno. */
int queue_insert(struct store *store, struct farm *farm, uint64_t number, const struct holder *owner,
		 enum score_policy policy, const char *client, const char wake[static WAKE_NAME_SIZE], uint32_t *ret_cell);

/* Takes a waiting cell out of the list, and out of that of its party; the caller sets its state. 0 or -errno. */
int queue_unlink(struct store *store, struct farm *farm, struct cell *cell);

/* The policy by which the node of the cell's waiter is chosen. */
static inline enum score_policy cell_policy(const struct cell *cell)
{
	return (enum score_policy)(cell->policy & ~CELL_PATIENT);
}

/* Whether the contents of a cell can be true. */
bool cell_is_sane(const struct cell *cell);

/* Makes a cell free and in no list. */
void cell_empty(struct cell *cell);

/* Puts an unlinked cell on the list of granted cells; the caller has noted its slot in it. 0 or -errno. */
int queue_grant(struct store *store, struct farm *farm, uint32_t number, struct cell *cell);

/* Takes a granted cell out of the list of granted cells. 0; -EUCLEAN if it is not granted; or -errno. */
int queue_ungrant(struct store *store, struct farm *farm, struct cell *cell);

/* Empties a cell that is in no list, and puts it on the list of free cells. */
void queue_free(struct store *store, struct farm *farm, uint32_t number, struct cell *cell);

/* In a transaction, on the caller's own copy of the farm's record: makes room for twice as many tickets.
 * 0; -EUSERS beyond 16 million; or -errno. */
int queue_grow(struct store *store, struct farm *farm);
