/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * learn.c: from releases and verdicts to the records that speed.c computes on.
 *
 * Connections are compared by how many bytes went each way, and both ways count.
 * With distcc the size of the source says how much work it is. A node that fails
 * fast sends back less than a node that compiles: so errors are compared with
 * errors.
 */

#include "learn.h"

#include <errno.h>
#include <string.h>

#include "system/timespan.h"

#define ROW_COMPILE SPEED_CLASSES

int learn_format(struct store *store)
{
	struct speed_row row;
	int r = 0;

	(void)memset(&row, 0, sizeof(row));
	for (uint32_t i = 0; r == 0 && i < SPEED_ROWS; i++)
		r = store_put(store, STORE_SPEED, i, 0, &row, sizeof(row));
	return r;
}

static int class_get(struct store *store, uint32_t row, unsigned cell, struct speed_class **ret)
{
	struct speed_row *record;
	int r = STORE_GET(store, STORE_SPEED, row, 0, &record);

	if (r < 0)
		return r;
	*ret = &record->cells[cell];
	return 0;
}

static int32_t pin_of(const struct node_record *record)
{
	return record->config.speed > 0 ? speed_pin(record->config.speed) : SPEED_UNPINNED;
}

/* Makes the learned speed the entry's speed, unless the node's speed is pinned. */
static int settle(struct store *store, struct node_record *record, struct index_entry *entry, uint64_t now_usec)
{
	if (speed_settle(&record->speed, now_usec))
		store_touch(store, &record->speed, sizeof(record->speed));
	return node_set_speed(record, entry);
}

int learn_hold(struct store *store, struct node_record *record, struct index_entry *entry, const struct slot *slot,
	       uint64_t in, uint64_t out, uint64_t now_usec)
{
	struct speed_class *class;
	int r;

	if (out == 0 || now_usec < slot->since_usec)
		return 0;
	r = class_get(store, speed_bytes_class(in), speed_bytes_class(out), &class);
	if (r < 0)
		return r;
	speed_learn_hold(&record->speed, class, entry->id, pin_of(record), now_usec - slot->since_usec, now_usec);
	store_touch(store, class, sizeof(*class));
	store_touch(store, &record->speed.hold, sizeof(record->speed.hold));
	return settle(store, record, entry, now_usec);
}

int learn_compile(struct store *store, struct node_record *record, struct index_entry *entry, uint64_t work_usec)
{
	uint64_t now_usec = now_boottime();
	struct speed_class *class;
	int r;

	if (work_usec > 0) {
		r = class_get(store, ROW_COMPILE, 0, &class);
		if (r < 0)
			return r;
		speed_learn_compile(&record->speed, class, entry->id, pin_of(record), work_usec, now_usec);
		store_touch(store, class, sizeof(*class));
		store_touch(store, &record->speed, sizeof(record->speed));
	}
	return settle(store, record, entry, now_usec);
}
