/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * memory.h: which node each client used last, for the policy affinity. The
 * records "client/PAGE" are there if a connection has asked for them;
 * farm.clients is how many clients they remember. A client's address says which
 * page it is in. A page has 16 clients; a new client takes the place of the
 * client of its page that has not come for the longest time. A client that has
 * not come for farm.forget_sec is as if it had never come.
 *
 * Nothing depends on what is remembered: a page may hold anything, and a page
 * that cannot be read is empty.
 */

#include <stdint.h>

#include "farm.h"
#include "types.h"
#include "store/store.h"

#define MEMORY_CELLS 16u
#define MEMORY_CLIENTS_MAX SCORE_CLIENTS_MAX
#define MEMORY_ADDRESS_MAX 47
#define MEMORY_FORGET_SEC 3600u /* if farm.forget_sec is 0, as in the records of older programs */

struct memory_cell {
	uint64_t used_usec;    /* CLOCK_BOOTTIME of its last connection; 0: the cell is empty */
	uint64_t since_usec;   /* of its first connection to the node */
	uint64_t uses;         /* connections since it is remembered */
	uint32_t node;         /* id */
	uint32_t reserved;
	char address[MEMORY_ADDRESS_MAX + 1];
};

struct memory_page {
	struct memory_cell cells[MEMORY_CELLS];
};

/* How many pages there are for so many clients. */
uint32_t memory_pages(uint32_t clients);

/* Whether a cell remembers a client, at a time of CLOCK_BOOTTIME. */
bool memory_is_valid(const struct farm *farm, const struct memory_cell *cell, uint64_t now_usec);

/* The id of the node that the client (its address, length bytes) used last. 0; 1: it is not known; or -errno. */
int memory_find(struct store *store, const struct farm *farm, const char *address, size_t length, uint32_t *ret_node);

/* Notes that the client uses the node. Staged only. 0 or -errno. */
int memory_note(struct store *store, const struct farm *farm, const char *address, size_t length, uint32_t node);

/* In a transaction: makes room for so many clients, more than before, and sets farm.clients. Clients that are known stay
 * so, if their new page has a place. 0 or -errno. */
int memory_grow(struct store *store, struct farm *farm, uint32_t clients);

/* In a transaction of to: copies all pages that can be read, and makes the others empty. 0 or -errno. */
int memory_copy(struct store *from, struct store *to, const struct farm *farm);
