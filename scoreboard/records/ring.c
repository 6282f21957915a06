/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "system/timespan.h"

#define CELLS_PER_PAGE_OF_RING 512u
#define POINTS_PER_CORE 64u
#define CELL_SHIFT 48 /* the upper 16 bits of a hash are its cell */

struct ring_page {
	uint32_t cells[CELLS_PER_PAGE_OF_RING]; /* positions, or NONE */
};

uint64_t ring_mix(uint64_t hash, uint64_t number)
{
	/* The last steps of SplitMix64: each bit of the result depends on all bits. */
	hash += number * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
	return hash ^ hash >> 31;
}

uint64_t ring_hash(const char *bytes, size_t length)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return ring_mix(hash, 1);
}

bool ring_drop(struct farm *farm)
{
	uint32_t now_sec = (uint32_t)(now_boottime() / USEC_PER_SEC);

	if (farm->ring)
		farm->ring = now_sec > RING_THERE ? now_sec : RING_THERE + 1;
	return farm->ring != 0;
}

bool ring_is_coming(const struct farm *farm)
{
	/* A number that is in the future is damage. */
	return farm->ring > RING_THERE && (uint32_t)(now_boottime() / USEC_PER_SEC) - farm->ring < 2;
}

/* A ring that is being made: the node of each cell, and the first point in it. */
struct making {
	uint64_t first[RING_CELLS];
	uint32_t nodes[RING_CELLS];
};

static void put_node(struct making *making, uint32_t position, const char *name, uint32_t cores)
{
	uint64_t hash = ring_hash(name, strlen(name));

	for (uint64_t i = 1; i <= (uint64_t)cores * POINTS_PER_CORE; i++) {
		uint64_t point = ring_mix(hash, i);
		uint32_t cell = (uint32_t)(point >> CELL_SHIFT);

		if (making->nodes[cell] == NONE || point < making->first[cell]) {
			making->first[cell] = point;
			making->nodes[cell] = position;
		}
	}
}

/* Gives the cells without a point to the next point behind them; the ring's beginning follows its end. */
static void fill_gaps(struct making *making)
{
	uint32_t node = NONE;

	for (uint32_t i = 2 * RING_CELLS; i-- > 0;) {
		uint32_t cell = i % RING_CELLS;

		if (making->nodes[cell] == NONE)
			making->nodes[cell] = node;
		else
			node = making->nodes[cell];
	}
}

static int put_nodes(struct store *store, const struct farm *farm, struct making *making)
{
	for (uint32_t position = 0; position < farm->n_nodes; position++) {
		struct node_record record;
		struct index_entry *entry;
		int r = index_get(store, farm, position, &entry) ?:
			store_read(store, STORE_NODE, entry->id, 0, &record, sizeof(record)) ?:
			node_check(&record);

		if (r < 0)
			return must_exist(r);
		/* A node that is no longer in the list finishes what it has, and gets nothing new. */
		if (!record.draining)
			put_node(making, position, record.config.name, record.config.cores);
		if (position % 32 == 31) {
			r = store_flush(store);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int ring_build(struct store *store, const struct farm *farm)
{
	struct making *making;
	int r;

	if (farm->ring != RING_THERE)
		return 0;
	making = malloc(sizeof(*making));
	if (!making)
		return -ENOMEM;
	for (uint32_t i = 0; i < RING_CELLS; i++)
		making->nodes[i] = NONE;
	r = put_nodes(store, farm, making);
	if (r == 0)
		fill_gaps(making);
	for (uint32_t i = 0; r == 0 && i < RING_CELLS; i += CELLS_PER_PAGE_OF_RING) {
		struct ring_page page;

		(void)memcpy(page.cells, making->nodes + i, sizeof(page.cells));
		r = store_put(store, STORE_RING, i / CELLS_PER_PAGE_OF_RING, 0, &page, sizeof(page));
	}
	free(making);
	return r;
}

int ring_find(struct store *store, uint64_t hash, uint32_t *ret)
{
	uint32_t cell = (uint32_t)(hash >> CELL_SHIFT);
	void *page;
	int r = store_get(store, STORE_RING, cell / CELLS_PER_PAGE_OF_RING, 0, sizeof(struct ring_page), &page);

	if (r == 0)
		*ret = ((const struct ring_page *)page)->cells[cell % CELLS_PER_PAGE_OF_RING];
	return r;
}
