/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * queue.h: the farm's one queue. A ticket lives in a cell; cells stand in pages
 * of eight, the record "queue/PAGE". Waiting ones form a list in the order of
 * their numbers, oldest first; so do those to which a slot was handed and which
 * have not taken it yet; free ones form a third.
 */

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"
#include "scoreboard.h"
#include "store/store.h"
#include "system/holder.h"
#include "system/wake.h"

#define CELLS_PER_PAGE 8u
#define CELLS_FIRST 256u     /* a new queue has so many, and none ever has fewer */
#define QUEUE_CELLS_MAX (UINT32_C(1) << 24)

enum cell_state {
	CELL_FREE,
	CELL_WAITING,
	CELL_GRANTED,
};

struct cell {
	uint64_t number;           /* the order of arrival */
	struct holder owner;
	uint64_t since_usec;       /* CLOCK_REALTIME */
	uint32_t state;            /* enum cell_state */
	uint32_t next, prev;       /* in its list; free ones have no prev */
	uint32_t node, slot;       /* when granted */
	uint32_t reserved;
	char wake[WAKE_NAME_SIZE];
	char client[SCORE_CLIENT_MAX + 1];
};

struct cell_page {
	struct cell cells[CELLS_PER_PAGE];
};

/* A cell by its number. 0, -EUCLEAN, or -errno. */
int queue_get(struct store *store, const struct farm *farm, uint32_t number, struct cell **ret);

/* The same in the caller's memory, for walks along the queue. */
int queue_read(struct store *store, const struct farm *farm, uint32_t number, struct cell *ret);

/* The cell of a ticket, if it is still there. 0, -ESTALE, or -errno. */
int queue_find(struct store *store, const struct farm *farm, const struct score_ticket *ticket, struct cell **ret);

/* Puts a ticket of that number into the queue at its place, and fills in owner, client, since and wake name.
 * 0 and *ret_cell; -EXFULL if the queue must be grown first; or -errno. */
int queue_insert(struct store *store, struct farm *farm, uint64_t number, const struct holder *owner,
		 const char *client, const char wake[static WAKE_NAME_SIZE], uint32_t *ret_cell);

/* Takes a waiting cell out of the list; its state is the caller's to set. 0 or -errno. */
int queue_unlink(struct store *store, struct farm *farm, struct cell *cell);

/* Whether a cell can be what it says. */
bool cell_is_sane(const struct cell *cell);

/* Makes a cell one that is free and in no list. */
void cell_empty(struct cell *cell);

/* A cell that has been unlinked is handed a slot, which the caller has noted in it. 0 or -errno. */
int queue_grant(struct store *store, struct farm *farm, uint32_t number, struct cell *cell);

/* Takes a granted cell out of the list of these. 0; -EUCLEAN if it is none; or -errno. */
int queue_ungrant(struct store *store, struct farm *farm, struct cell *cell);

/* Empties a cell that is in no list. */
void queue_free(struct store *store, struct farm *farm, uint32_t number, struct cell *cell);

/* In a transaction, on the caller's own copy of the farm's record: makes room for twice as many tickets.
 * 0; -EUSERS beyond 16 million; or -errno. */
int queue_grow(struct store *store, struct farm *farm);
