/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "turn.h"

#include <errno.h>
#include <string.h>

#include "records/client.h"
#include "records/party.h"
#include "records/party_tree.h"
#include "records/passed.h"
#include "records/queue.h"

void turn_make_room(struct score *s, const char *client)
{
	if (!passed_may_have(s->store, client_hash(client)))
		return;
	if (*s->room_for && !client_is_same(s->room_for, client)) {
		/* Of several clients each would have to be looked for: all waiters are looked at. */
		passed_forget(s->store);
		*s->room_for = '\0';
		return;
	}
	(void)memset(s->room_for, 0, sizeof(s->room_for));
	(void)memcpy(s->room_for, client, strnlen(client, SCORE_CLIENT_MAX));
}

/* ---- the waiters in the order of the queue ---- */

/* Waiters in their order, from one to a later one. */
struct walk {
	struct cell_reader reader;
	uint32_t next;       /* cell; NONE: the end */
	uint64_t last;       /* number of the waiter before */
};

static struct walk begin(const struct farm *farm)
{
	return (struct walk){ .reader.number = NONE, .next = farm->queue_head };
}

/* The next waiter of a walk: 0, *ret and its cell's number; 1: the end; or -errno. */
static int walk_on(struct score *s, const struct farm *farm, struct walk *walk, const struct cell **ret, uint32_t *ret_number)
{
	int r;

	if (walk->next == NONE)
		return 1;
	*ret_number = walk->next;
	r = queue_read_next(s->store, farm, walk->next, &walk->reader, ret);
	if (r < 0)
		return r;
	if (!cell_is_sane(*ret) || (*ret)->state != CELL_WAITING || (*ret)->number <= walk->last)
		return -EUCLEAN; /* the list may be a ring */
	walk->last = (*ret)->number;
	walk->next = (*ret)->next;
	return 0;
}

/* Looks for a waiter, among those that are passed, of the client that may have room again. 0 and *ret; 1: there is none,
 * or it has no room; or -errno. */
static int first_with_room(struct score *s, const struct farm *farm, struct clients_full *full, uint32_t *ret)
{
	const struct passed *passed = passed_get(s->store);
	struct walk walk = begin(farm);
	const struct cell *cell;
	int r = passed ? client_is_full(s, farm, s->room_for, passed->limit, 0, full) : 1;

	while (r == 0 && (r = walk_on(s, farm, &walk, &cell, ret)) == 0) {
		if (cell->number > passed->number)
			r = 1;
		else if (client_is_same(cell->client, s->room_for))
			return 0;
	}
	*s->room_for = '\0';
	return r;
}

/* Begins a walk behind the waiters that are passed. 0 or -errno. */
static int begin_behind(struct score *s, const struct farm *farm, struct walk *ret)
{
	const struct passed *passed = passed_get(s->store);
	const struct cell *cell;
	uint32_t number;
	int r = 0;

	*ret = begin(farm);
	if (!passed)
		return 0;
	if (passed->cell < farm->cells)
		r = queue_read_next(s->store, farm, passed->cell, &ret->reader, &cell);
	if (r == 0 && passed->cell < farm->cells && cell->state == CELL_WAITING && cell->number == passed->number) {
		ret->next = passed->cell;
		return walk_on(s, farm, ret, &cell, &number);
	}
	/* The last of them does not wait any more: all are looked at again. */
	passed_forget(s->store);
	return r;
}

/* The oldest waiter that may have a slot. Waiters that may not are passed, and not looked at again until something has changed
 * for their client. 0, 1 if there is none, or -errno. */
static int first_allowed(struct score *s, const struct farm *farm, struct clients_full *full, uint32_t *ret)
{
	bool all_passed = true;
	const struct cell *cell;
	struct walk walk;
	int r = *s->room_for ? first_with_room(s, farm, full, ret) : 1;

	if (r <= 0)
		return r;
	r = begin_behind(s, farm, &walk);
	while (r == 0 && (r = walk_on(s, farm, &walk, &cell, ret)) == 0) {
		r = client_is_full(s, farm, cell->client, cell->per_client, 0, full);
		if (r <= 0)
			return r;
		all_passed = all_passed && passed_add(s->store, *ret, cell, client_hash(cell->client));
		r = 0;
	}
	return r;
}

/* ---- by fairness ---- */

static int fairest(struct score *s, const struct farm *farm, uint32_t *ret)
{
	int r, none = party_tree_next(s->store, farm, ret);
	struct cell cell;

	if (none < 0 || (none == 1 && farm->queue_head == NONE))
		return none;
	r = queue_read(s->store, farm, none ? farm->queue_head : *ret, &cell);
	if (r < 0)
		return r;
	if (!cell_is_sane(&cell) || cell.state != CELL_WAITING)
		return -EUCLEAN;
	/* If no ticket may have a slot, then the oldest may not, too. */
	return none ? party_is_full(s->store, farm, &cell) ?: -EUCLEAN : 0;
}

/* ---- whose turn it is ---- */

int turn_next(struct score *s, const struct farm *farm, struct clients_full *full, uint32_t *ret)
{
	return farm->fair ? fairest(s, farm, ret) : first_allowed(s, farm, full, ret);
}

int turn_settle(struct score *s, const struct farm *farm, struct clients_full *full)
{
	const struct passed *passed = *s->room_for ? passed_get(s->store) : NULL;
	int r = passed ? client_is_full(s, farm, s->room_for, passed->limit, 0, full) : 1;

	if (r == 0)
		passed_forget(s->store);
	*s->room_for = '\0';
	return r < 0 ? r : 0;
}
