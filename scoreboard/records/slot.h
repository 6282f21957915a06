/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * slot.h: which process holds which slot of a node. Slots are in pages of eight,
 * the record "slots/NODE/PAGE". The free slots below the node's number of cores
 * form a list that starts in the node's index entry. A slot at or above that
 * number, left from when there were more cores, is not given out again.
 */

#include <stdbool.h>
#include <stdint.h>

#include "system/holder.h"
#include "index.h"
#include "types.h"

#define SLOTS_PER_PAGE 8u

enum slot_state {
	SLOT_FREE,
	SLOT_GRANTED,  /* handed to a waiter, which has not taken it yet; cell is its ticket's */
	SLOT_BUSY,
	SLOT_LOST,     /* its holder could not be read, see lost.h */
};

struct slot {
	struct holder holder;
	uint64_t ticket;
	uint64_t since_usec;   /* CLOCK_BOOTTIME */
	uint64_t in, out;      /* bytes, as far as reported */
	uint32_t state;        /* enum slot_state */
	uint32_t trial;
	uint32_t next_free;
	uint32_t cell;
	char client[SCORE_CLIENT_MAX + 1];
};

struct slot_page {
	struct slot slots[SLOTS_PER_PAGE];
};

/* The number of pages for so many cores. */
uint32_t slot_pages(uint32_t cores);

/* Finds a slot of a node, whatever its contents. 0; -EUCLEAN: there is none; or -errno. */
int slot_get_any(struct store *store, uint32_t node, uint32_t number, struct slot **ret);

/* Finds a slot of a node. 0; -EUCLEAN: there is none, or its contents cannot be true; or -errno. */
int slot_get(struct store *store, uint32_t node, uint32_t number, struct slot **ret);

/* Whether the contents of a slot can be true. */
bool slot_is_sane(const struct slot *slot);

/* Makes a slot lost. */
void slot_lose(struct slot *slot);

/* Makes a slot free, and on no list. */
void slot_clear(struct slot *slot);

/* Takes the first free slot off the entry's list. 0 and *ret, *ret_number; -EUCLEAN if the list is empty or bad. */
int slot_pop(struct store *store, struct index_entry *entry, struct slot **ret, uint32_t *ret_number);

/* Empties a slot and puts it on the entry's list (unless the node has fewer cores by now). */
void slot_push(struct store *store, struct index_entry *entry, struct slot *slot, uint32_t number);

/* In a transaction: makes the pages for so many cores (had pages exist) and the list of free slots anew.
 * *ret_first is the list's first slot, *ret_pages the number of pages afterwards. 0 or -errno. */
int slot_resize(struct store *store, uint32_t node, uint32_t had, uint32_t cores,
		uint32_t *ret_first, uint32_t *ret_pages);

/* In a transaction: removes all slot pages of the node. 0 or -errno. */
int slot_delete(struct store *store, uint32_t node, uint32_t pages);
