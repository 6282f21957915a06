/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"
#include "system/timespan.h"

uint32_t memory_pages(uint32_t clients)
{
	return clients < MEMORY_CELLS ? clients > 0 : clients / MEMORY_CELLS;
}

/* How many cells of a page are used. */
static uint32_t cells_used(uint32_t clients)
{
	return clients < MEMORY_CELLS ? clients : MEMORY_CELLS;
}

bool memory_is_valid(const struct farm *farm, const struct memory_cell *cell, uint64_t now_usec)
{
	uint32_t forget_sec = farm->forget_sec ? farm->forget_sec : MEMORY_FORGET_SEC;

	return cell->used_usec != 0 && cell->used_usec <= now_usec &&
	       (forget_sec == SCORE_FORGET_NEVER || now_usec - cell->used_usec < forget_sec * USEC_PER_SEC);
}

static bool is_of(const struct memory_cell *cell, const char *address, size_t length)
{
	return memcmp(cell->address, address, length) == 0 && cell->address[length] == '\0';
}

static size_t shortened(size_t length)
{
	return length < MEMORY_ADDRESS_MAX ? length : MEMORY_ADDRESS_MAX;
}

/* The page of a client. 0; -ENOENT: there is none that can be read; or -errno. */
static int page_get(struct store *store, const struct farm *farm, const char *address, size_t length, struct memory_page **ret)
{
	int r;

	if (farm->clients == 0)
		return -ENOENT;
	r = STORE_FIND(store, STORE_CLIENT, (uint32_t)(ring_hash(address, length) % memory_pages(farm->clients)), 0, ret);
	return r == -EUCLEAN ? -ENOENT : r;
}

/* The client's cell; else the cell for a new client. */
static struct memory_cell *find_cell(const struct farm *farm, struct memory_page *page, uint32_t cells, const char *address,
				     size_t length, uint64_t now_usec)
{
	struct memory_cell *oldest = &page->cells[0];

	for (uint32_t i = 0; i < cells; i++) {
		struct memory_cell *cell = &page->cells[i];

		if (!memory_is_valid(farm, cell, now_usec))
			cell->used_usec = 0;
		else if (is_of(cell, address, length))
			return cell;
		if (cell->used_usec < oldest->used_usec)
			oldest = cell;
	}
	return oldest;
}

int memory_find(struct store *store, const struct farm *farm, const char *address, size_t length, uint32_t *ret_node)
{
	struct memory_page *page;
	int r;

	length = shortened(length);
	r = page_get(store, farm, address, length, &page);
	if (r < 0)
		return r == -ENOENT ? 1 : r;
	for (uint32_t i = 0; i < cells_used(farm->clients); i++) {
		const struct memory_cell *cell = &page->cells[i];

		if (is_of(cell, address, length) && memory_is_valid(farm, cell, now_boottime())) {
			*ret_node = cell->node;
			return 0;
		}
	}
	return 1;
}

int memory_note(struct store *store, const struct farm *farm, const char *address, size_t length, uint32_t node)
{
	uint64_t now_usec = now_boottime();
	struct memory_cell *cell;
	struct memory_page *page;
	int r;

	length = shortened(length);
	if (length == 0)
		return 0;
	r = page_get(store, farm, address, length, &page);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	cell = find_cell(farm, page, cells_used(farm->clients), address, length, now_usec);
	if (cell->used_usec == 0 || !is_of(cell, address, length)) {
		(void)memset(cell, 0, sizeof(*cell));
		(void)memcpy(cell->address, address, length);
	}
	if (cell->used_usec == 0 || cell->node != node)
		cell->since_usec = now_usec;
	cell->node = node;
	cell->used_usec = now_usec;
	cell->uses++;
	store_touch(store, cell, sizeof(*cell));
	return 0;
}

/* Puts the clients of an old page into the new pages. */
static void move_clients(const struct farm *farm, const struct memory_page *old, struct memory_page *pages, uint32_t clients)
{
	uint64_t now_usec = now_boottime();

	for (uint32_t i = 0; i < MEMORY_CELLS; i++) {
		const struct memory_cell *client = &old->cells[i];
		size_t length = strnlen(client->address, MEMORY_ADDRESS_MAX);

		if (memory_is_valid(farm, client, now_usec) && length > 0 && client->address[length] == '\0')
			*find_cell(farm, &pages[ring_hash(client->address, length) % memory_pages(clients)], cells_used(clients),
				   client->address, length, now_usec) = *client;
	}
}

int memory_grow(struct store *store, struct farm *farm, uint32_t clients)
{
	struct memory_page *pages, old;
	int r = 0;

	if (clients == 0 || clients > MEMORY_CLIENTS_MAX)
		return -EINVAL;
	pages = calloc(memory_pages(clients), sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	for (uint32_t i = 0; i < memory_pages(farm->clients); i++)
		if (store_read(store, STORE_CLIENT, i, 0, &old, sizeof(old)) == 0)
			move_clients(farm, &old, pages, clients);
	for (uint32_t i = 0; r == 0 && i < memory_pages(clients); i++)
		r = store_put(store, STORE_CLIENT, i, 0, &pages[i], sizeof(pages[i]));
	if (r == 0)
		farm->clients = clients;
	free(pages);
	return r;
}

int memory_copy(struct store *from, struct store *to, const struct farm *farm)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < memory_pages(farm->clients); i++) {
		struct memory_page page;

		if (store_read(from, STORE_CLIENT, i, 0, &page, sizeof(page)) < 0)
			(void)memset(&page, 0, sizeof(page));
		r = store_put(to, STORE_CLIENT, i, 0, &page, sizeof(page));
	}
	return r;
}
