/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "upgrade.h"

#include <errno.h>
#include <stdlib.h>

#include "records/memory.h"
#include "records/node.h"
#include "records/queue.h"
#include "records/slot.h"
#include "records/speed.h"
#include "system/grow.h"
#include "system/timespan.h"

struct name {
	uint32_t a, b;
};

struct names {
	struct name *items;
	size_t n, room;
};

/* Any of the records with such times. */
union record {
	struct node_record node;
	struct slot_page slots;
	struct cell_page cells;
	struct memory_page clients;
	struct speed_row speeds;
};

/* A time of the wall clock as one of CLOCK_BOOTTIME. 0, for none, stays; a time before the boot is the boot. */
static uint64_t moment(uint64_t wall_usec, uint64_t ahead_usec)
{
	return wall_usec == 0 ? 0 : wall_usec > ahead_usec ? wall_usec - ahead_usec : 1;
}

static void convert_node(union record *record, uint64_t ahead_usec)
{
	struct speed *speed = &record->node.speed;

	speed->hold.stamp_usec = moment(speed->hold.stamp_usec, ahead_usec);
	speed->compile.stamp_usec = moment(speed->compile.stamp_usec, ahead_usec);
}

static void convert_slots(union record *record, uint64_t ahead_usec)
{
	for (unsigned i = 0; i < SLOTS_PER_PAGE; i++)
		record->slots.slots[i].since_usec = moment(record->slots.slots[i].since_usec, ahead_usec);
}

static void convert_cells(union record *record, uint64_t ahead_usec)
{
	for (unsigned i = 0; i < CELLS_PER_PAGE; i++)
		record->cells.cells[i].since_usec = moment(record->cells.cells[i].since_usec, ahead_usec);
}

static void convert_clients(union record *record, uint64_t ahead_usec)
{
	for (unsigned i = 0; i < MEMORY_CELLS; i++) {
		struct memory_cell *cell = &record->clients.cells[i];

		cell->since_usec = moment(cell->since_usec, ahead_usec);
		cell->used_usec = moment(cell->used_usec, ahead_usec);
	}
}

/* Only the differences of these times count, which wrap around. */
static void convert_speeds(union record *record, uint64_t ahead_usec)
{
	for (unsigned i = 0; i < SPEED_CLASSES; i++)
		for (unsigned j = 0; j < SPEED_LATEST; j++)
			record->speeds.cells[i].latest[j].begun_msec -= (uint32_t)(ahead_usec / 1000);
}

static const struct conversion {
	enum store_kind kind;
	size_t size;
	void (*convert)(union record *record, uint64_t ahead_usec);
} conversions[] = {
	{ STORE_NODE, sizeof(struct node_record), convert_node },
	{ STORE_SLOTS, sizeof(struct slot_page), convert_slots },
	{ STORE_QUEUE, sizeof(struct cell_page), convert_cells },
	{ STORE_CLIENT, sizeof(struct memory_page), convert_clients },
	{ STORE_SPEED, sizeof(struct speed_row), convert_speeds },
};

static int note(uint32_t a, uint32_t b, void *arg)
{
	struct names *names = arg;

	if (GROW(names->items, names->n, names->room) < 0)
		return -ENOMEM;
	names->items[names->n++] = (struct name){ a, b };
	return 0;
}

static int convert_each(struct store *store, const struct conversion *conversion, uint64_t ahead_usec)
{
	struct names names = { 0 };
	union record record;
	int r = store_each(store, conversion->kind, note, &names); /* a record cannot be put during that walk */

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		const struct name *name = &names.items[i];

		if (store_read(store, conversion->kind, name->a, name->b, &record, conversion->size) < 0)
			continue;
		conversion->convert(&record, ahead_usec);
		r = store_put(store, conversion->kind, name->a, name->b, &record, conversion->size);
	}
	free(names.items);
	return r;
}

int upgrade_times(struct store *store)
{
	uint64_t ahead_usec = wall_time(0);
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(conversions) / sizeof(*conversions); i++)
		r = convert_each(store, &conversions[i], ahead_usec);
	return r;
}
