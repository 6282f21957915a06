/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "copies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "intent.h"
#include "place.h"

#define RECORD_MAX 4096 /* larger than any; a record that is larger is damaged */

/* Where the bytes of the next copy go. */
static unsigned char *arena_end(struct copies *c)
{
	const struct copy *last;

	if (c->n == 0)
		return c->arena;
	last = &c->items[c->n - 1];
	return last->data + ((last->size + 15) & ~(size_t)15);
}

int copies_fill(struct copies *c, unsigned char *place, size_t size)
{
	struct copy *copy = &c->items[c->n];

	copy->data = arena_end(c);
	copy->place = place;
	copy->size = size;
	if (size > RECORD_MAX)
		return -EUCLEAN;
	if (size > (size_t)(c->arena + sizeof(c->arena) - copy->data))
		return -E2BIG;
	(void)memcpy(copy->data, place, size);
	return 0;
}

/* The copy that size bytes at a place are in. */
static struct copy *find_at(struct copies *c, const unsigned char *at, size_t size)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct copy *copy = &c->items[i];
		size_t offset = (size_t)(at - copy->data);

		if (offset < copy->size && size <= copy->size - offset)
			return copy;
	}
	abort(); /* a bug, which must not write a half-true scoreboard */
}

/* Makes a range larger by another that it overlaps, or nearly so: a patch of its own would be longer than what lies
 * between. false: they are too far from each other. */
static bool range_join(struct copy_range *range, uint32_t offset, uint32_t size)
{
	uint32_t end = range->offset + range->size;

	if (offset > end + sizeof(struct patch) || range->offset > offset + size + sizeof(struct patch))
		return false;
	if (end < offset + size)
		end = offset + size;
	if (range->offset > offset)
		range->offset = offset;
	range->size = end - range->offset;
	return true;
}

void copies_touch(struct copies *c, const void *p, size_t size)
{
	struct copy *copy = find_at(c, p, size);
	uint32_t offset = (uint32_t)((const unsigned char *)p - copy->data);

	for (unsigned i = copy->n_dirty; i-- > 0;)
		if (range_join(&copy->dirty[i], offset, (uint32_t)size))
			return;
	if (copy->n_dirty == COPY_RANGES_MAX) {
		copy->n_dirty = 1;
		copy->dirty[0] = (struct copy_range){ 0, (uint32_t)copy->size };
		return;
	}
	copy->dirty[copy->n_dirty++] = (struct copy_range){ offset, (uint32_t)size };
}

int copies_plan(const struct copies *c, struct intent *intent)
{
	int r = 0;

	for (unsigned i = 0; i < c->n; i++) {
		const struct copy *copy = &c->items[i];

		for (unsigned j = 0; r == 0 && j < copy->n_dirty; j++)
			r = intent_add(intent, &(struct patch){
				.kind = copy->kind, .a = copy->a, .b = copy->b,
				.offset = copy->dirty[j].offset, .size = copy->dirty[j].size,
			}, copy->data + copy->dirty[j].offset);
	}
	return r;
}

unsigned copies_write_in_place(const struct copies *c)
{
	unsigned written = 0;

	for (unsigned i = 0; i < c->n; i++) {
		const struct copy *copy = &c->items[i];

		written += copy->n_dirty > 0;
		for (unsigned j = 0; j < copy->n_dirty; j++)
			place_write(copy->place + copy->dirty[j].offset, copy->data + copy->dirty[j].offset, copy->dirty[j].size);
	}
	return written;
}

void copies_clean(struct copies *c)
{
	for (unsigned i = 0; i < c->n; i++)
		c->items[i].n_dirty = 0;
}

void copies_trim(struct copies *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->items[i].n_dirty > 0)
			return;
	if (c->n > 1)
		c->n = 1;
}
