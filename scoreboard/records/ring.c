/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "system/grow.h"
#include "system/timespan.h"

#define CELLS_PER_PAGE_OF_RING 512u
#define POINTS_PER_CORE 64u
#define POINTS_MOSTLY 12u /* so many points for each cell, and hardly a cell is without (a part of e^-12) */
#define CELL_SHIFT 48     /* the upper 16 bits of a hash are its cell */

/* The time in which a node throws its points: as many in a unit as it has cores. */
#define TIME_UNIT (UINT64_C(1) << 32)
#define TIME_END (POINTS_PER_CORE * TIME_UNIT)
#define MOMENT_SHIFT 16

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

/* A node as the ring knows it. */
struct ring_node {
	uint64_t hash;         /* of its name */
	uint32_t position, cores;
};

/* A ring that is being made: the node of each cell, and when the first point fell into it. */
struct making {
	uint64_t first[RING_CELLS]; /* moment of the point, and 16 bits that decide between points of the same moment */
	uint32_t nodes[RING_CELLS]; /* positions, or NONE */
	struct ring_node *of;
	size_t n, room;
};

/* Throws the points of a node of which the turn begins at from or later, and before to. A node has as many turns in a unit of
 * time as it has cores, and in each turn a point falls at a moment that is as random as its cell. */
static void throw_points(struct making *making, const struct ring_node *node, uint64_t from, uint64_t to)
{
	uint64_t turn = TIME_UNIT / node->cores;

	for (uint64_t i = (from + turn - 1) / turn; i * turn < to; i++) {
		uint64_t point = ring_mix(node->hash, i + 1), moment = i * turn << MOMENT_SHIFT;
		uint32_t cell = (uint32_t)(point >> CELL_SHIFT);

		if (making->first[cell] < moment)
			continue; /* most points are too late, even at the beginning of their turn */
		moment += ((point & UINT32_MAX) * turn >> 32 << MOMENT_SHIFT) + (point >> 32 & UINT16_MAX);
		if (moment < making->first[cell]) {
			making->first[cell] = moment;
			making->nodes[cell] = node->position;
		}
	}
}

/* Whether no point that falls at that time or later can be the first in its cell. */
static bool is_settled(const struct making *making, uint64_t time)
{
	for (uint32_t i = 0; i < RING_CELLS; i++)
		if (making->first[i] >> MOMENT_SHIFT >= time)
			return false;
	return true;
}

/* Throws all points, or as many as it takes until each cell has its first: with many cores those are few. */
static void throw_all(struct making *making)
{
	uint64_t cores = 0, to = TIME_END, step;

	for (size_t i = 0; i < making->n; i++)
		cores += making->of[i].cores;
	if (cores > RING_CELLS * POINTS_MOSTLY / POINTS_PER_CORE)
		to = TIME_UNIT * RING_CELLS / cores * POINTS_MOSTLY;
	step = to / 8 + 1;
	for (uint64_t from = 0; from < TIME_END && !is_settled(making, from);) {
		for (size_t i = 0; i < making->n; i++)
			throw_points(making, &making->of[i], from, to);
		from = to;
		to = to + step < TIME_END ? to + step : TIME_END;
	}
}

/* Gives the cells without a point to the node of the next cell behind them; the ring's beginning follows its end. */
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

static int read_nodes(struct store *store, const struct farm *farm, struct making *making)
{
	for (uint32_t position = 0; position < farm->n_nodes; position++) {
		struct node_record record;
		struct index_entry *entry;
		int r = index_get(store, farm, position, &entry) ?:
			store_read(store, STORE_NODE, entry->id, 0, &record, sizeof(record)) ?:
			node_check(&record);

		if (r < 0)
			return r;
		/* A node that is no longer in the list finishes what it has, and gets nothing new. */
		if (!record.draining && GROW(making->of, making->n, making->room) < 0)
			return -ENOMEM;
		if (!record.draining)
			making->of[making->n++] = (struct ring_node){
				.hash = ring_hash(record.config.name, strlen(record.config.name)),
				.position = position, .cores = record.config.cores,
			};
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
	making->of = NULL;
	making->n = making->room = 0;
	(void)memset(making->first, 0xff, sizeof(making->first)); /* the end of time */
	(void)memset(making->nodes, 0xff, sizeof(making->nodes)); /* NONE */
	r = read_nodes(store, farm, making);
	if (r == 0) {
		throw_all(making);
		fill_gaps(making);
	}
	for (uint32_t i = 0; r == 0 && i < RING_CELLS; i += CELLS_PER_PAGE_OF_RING) {
		struct ring_page page;

		(void)memcpy(page.cells, making->nodes + i, sizeof(page.cells));
		r = store_put(store, STORE_RING, i / CELLS_PER_PAGE_OF_RING, 0, &page, sizeof(page));
	}
	free(making->of);
	free(making);
	return r;
}

int ring_find(struct store *store, uint64_t hash, uint32_t *ret)
{
	uint32_t cell = (uint32_t)(hash >> CELL_SHIFT);
	struct ring_page *page;
	int r = STORE_GET(store, STORE_RING, cell / CELLS_PER_PAGE_OF_RING, 0, &page);

	if (r == 0)
		*ret = page->cells[cell % CELLS_PER_PAGE_OF_RING];
	return r;
}
