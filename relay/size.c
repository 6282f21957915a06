/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "size.h"

#define AHEAD 4u
#define AHEAD_STRICT 8u
#define LOW_STRICT 4u
#define SHRINK_PART 4u /* of the idle relays that are too many, this part is let go at a time */

void size_init(struct size *size)
{
	*size = (struct size){ .step = 1, .look_usec = SIZE_LOOK_USEC };
}

size_t size_ahead(bool strict)
{
	return strict ? AHEAD_STRICT : AHEAD;
}

bool size_is_low(bool strict, size_t n)
{
	return strict ? n <= LOW_STRICT : n < AHEAD;
}

size_t size_grow(struct size *size, const struct size_view *view)
{
	/* The first connection of a new relay is no sign that the others accept. */
	bool accepting = view->accepted > size->fresh, slowly = accepting || view->running > view->processors;

	size->fresh -= accepting ? size->fresh : view->accepted;
	size->look_usec = !slowly ? SIZE_LOOK_USEC : size->look_usec * 2;
	if (size->look_usec > SIZE_LOOK_MAX_USEC)
		size->look_usec = SIZE_LOOK_MAX_USEC;
	if (view->pending == 0) {
		size->step = 1;
		size->fresh = 0;
		return 0;
	}
	if (view->idle > 0)
		return 0;
	if (accepting && view->pending <= view->accepted)
		return 0;
	size->step = slowly ? 1 : size->step * 2;
	if (size->step > SIZE_STEP_MAX)
		size->step = SIZE_STEP_MAX;
	return size->step;
}

void size_grown(struct size *size, size_t n)
{
	size->fresh += n;
}

size_t size_keep(size_t idle)
{
	size_t surplus = idle > SIZE_KEPT ? idle - SIZE_KEPT : 0;

	return idle - (surplus + SHRINK_PART - 1) / SHRINK_PART;
}
