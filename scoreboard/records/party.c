/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "party.h"

#include <errno.h>
#include <string.h>

#include "client.h"
#include "party_page.h"
#include "party_tree.h"

/* A page, its number, and a party that is in that page if it is anywhere. */
struct place {
	struct party_page *page;
	uint32_t number;
	char name[SCORE_CLIENT_MAX + 1];
};

static int find(struct store *store, const struct farm *farm, const char *client, struct place *ret)
{
	client_party(client, ret->name);
	ret->number = party_page_of(farm, ret->name);
	return STORE_GET(store, STORE_PARTY, 0, ret->number, &ret->page);
}

/* Makes a part of a party: as like, which is another part of it, or NULL. NULL: there is no room. */
static struct party *make_part(struct place *place, const struct party *like)
{
	struct party *part = party_find_unused(place->page);

	if (!part)
		return NULL;
	*part = party_unused;
	(void)memcpy(part->name, place->name, sizeof(part->name));
	if (like) {
		part->held = like->held;
		part->turn = like->turn;
	}
	return part;
}

static int changed(struct store *store, const struct farm *farm, struct party *part, uint32_t page)
{
	if (!party_is_used(part))
		*part = party_unused;
	store_touch(store, part, sizeof(*part));
	return party_tree_update(store, farm, page);
}

/* The turn of a party that begins to wait with so many slots. */
static uint64_t take_turn(struct store *store, struct farm *farm)
{
	farm->turn++;
	store_touch(store, &farm->turn, sizeof(farm->turn));
	return farm->turn;
}

/* The party holds so many slots: says so in each part. */
static int hold(struct store *store, struct farm *farm, struct place *place, uint32_t held)
{
	uint32_t at = 0;
	bool waits = party_first_part(place->page, place->name)->first != NONE;
	uint64_t turn = waits ? take_turn(store, farm) : 0;

	for (struct party *part; (part = party_next_part(place->page, place->name, &at));) {
		part->held = held;
		if (waits)
			part->turn = turn;
		if (!party_is_used(part))
			*part = party_unused;
		store_touch(store, part, sizeof(*part));
	}
	return party_tree_update(store, farm, place->number);
}

int party_hold(struct store *store, struct farm *farm, const char *client)
{
	struct place place;
	struct party *part;
	int r;

	if (farm->parties == 0)
		return 0;
	r = find(store, farm, client, &place);
	if (r < 0)
		return r;
	part = party_first_part(place.page, place.name);
	if (part)
		return hold(store, farm, &place, part->held + 1);
	part = make_part(&place, NULL);
	if (!part)
		return -EXFULL;
	part->held = 1;
	return changed(store, farm, part, place.number);
}

int party_release(struct store *store, struct farm *farm, const char *client)
{
	struct place place;
	struct party *part;
	int r;

	if (farm->parties == 0)
		return 0;
	r = find(store, farm, client, &place);
	if (r < 0)
		return r;
	part = party_first_part(place.page, place.name);
	return part && part->held > 0 ? hold(store, farm, &place, part->held - 1) : -EUCLEAN;
}

int party_get(struct store *store, const struct farm *farm, const char *client, struct party *ret)
{
	char name[SCORE_CLIENT_MAX + 1];
	const struct party *part;
	struct party_page page;
	int r;

	*ret = party_unused;
	if (farm->parties == 0)
		return 0;
	client_party(client, name);
	r = store_read(store, STORE_PARTY, 0, party_page_of(farm, name), &page, sizeof(page));
	if (r < 0)
		return r;
	part = party_first_part(&page, name);
	if (part)
		*ret = *part;
	return 0;
}

int party_is_full(struct store *store, const struct farm *farm, const struct cell *cell)
{
	uint32_t limit = party_limit_of(cell);
	struct party party;
	int r = party_get(store, farm, cell->client, &party);

	return r < 0 ? r : limit > 0 && party.held >= limit;
}

/* Links two cells of a party, or a cell with an end of the party's list. */
static int link_cells(struct store *store, const struct farm *farm, struct party *party, uint32_t before, uint32_t behind)
{
	struct cell *cell;
	int r = 0;

	if (before == NONE)
		party->first = behind;
	else
		r = queue_get(store, farm, before, &cell);
	if (r == 0 && before != NONE) {
		cell->kin_next = behind;
		store_touch(store, &cell->kin_next, sizeof(cell->kin_next));
	}
	if (r == 0 && behind == NONE)
		party->last = before;
	else if (r == 0)
		r = queue_get(store, farm, behind, &cell);
	if (r == 0 && behind != NONE) {
		cell->kin_prev = before;
		store_touch(store, &cell->kin_prev, sizeof(cell->kin_prev));
	}
	return r;
}

/* The place of a number in a party's list: mostly behind the last, for a ticket that comes back before the first. */
static int find_place(struct store *store, const struct farm *farm, const struct party *party, uint64_t number,
		      uint32_t *ret_before, uint32_t *ret_behind)
{
	uint32_t before = party->last, behind = NONE;
	uint64_t last = UINT64_MAX;
	struct cell cell = { .number = 0 };
	int r = party->first == NONE ? 0 : queue_read(store, farm, party->first, &cell);

	if (r < 0)
		return r;
	if (number < cell.number) {
		behind = party->first;
		before = NONE;
	}
	while (before != NONE) {
		r = queue_read(store, farm, before, &cell);
		if (r < 0)
			return r;
		if (cell.state != CELL_WAITING || cell.number >= last)
			return -EUCLEAN; /* the list may be a ring */
		if (cell.number < number)
			break;
		last = cell.number;
		behind = before;
		before = cell.kin_prev;
	}
	*ret_before = before;
	*ret_behind = behind;
	return 0;
}

/* The part for a ticket with that limit. If the party has as many parts as it may, the ticket joins the part of the next
 * lower limit, or of the lowest. 0; or -EXFULL: there is no room. */
static int find_part(struct place *place, uint32_t limit, struct party **ret)
{
	struct party *lowest = NULL, *lower = NULL;
	uint32_t at = 0;
	unsigned n = 0;

	for (struct party *part; (part = party_next_part(place->page, place->name, &at)); n++) {
		if (part->limit == limit || part->first == NONE) {
			part->limit = limit;
			*ret = part;
			return 0;
		}
		/* No limit is the highest. */
		if (part->limit - 1 < limit - 1 && (!lower || part->limit > lower->limit))
			lower = part;
		if (!lowest || part->limit - 1 < lowest->limit - 1)
			lowest = part;
	}
	if (n == PARTY_PARTS_MAX) {
		*ret = lower ? lower : lowest;
		return 0;
	}
	*ret = make_part(place, lowest);
	if (!*ret)
		return -EXFULL;
	(*ret)->limit = limit;
	return 0;
}

int party_wait(struct store *store, struct farm *farm, uint32_t number)
{
	uint32_t before, behind;
	struct place place;
	struct party *part;
	struct cell *cell;
	bool waits;
	int r;

	if (farm->parties == 0)
		return 0;
	r = queue_get(store, farm, number, &cell) ?:
	    find(store, farm, cell->client, &place);
	if (r < 0)
		return r;
	part = party_first_part(place.page, place.name);
	waits = part && part->first != NONE;
	r = find_part(&place, party_limit_of(cell), &part);
	if (r == 0 && !waits)
		part->turn = take_turn(store, farm);
	if (r == 0 && part->limit != party_limit_of(cell)) {
		cell->per_client = part->limit;
		store_touch(store, &cell->per_client, sizeof(cell->per_client));
	}
	if (r == 0)
		r = find_place(store, farm, part, cell->number, &before, &behind) ?:
		    link_cells(store, farm, part, before, number) ?:
		    link_cells(store, farm, part, number, behind);
	return r < 0 ? r : changed(store, farm, part, place.number);
}

int party_unwait(struct store *store, const struct farm *farm, struct cell *cell)
{
	uint32_t before = cell->kin_prev, behind = cell->kin_next, at = 0;
	struct party *part;
	struct place place;
	int r;

	if (farm->parties == 0)
		return 0;
	r = find(store, farm, cell->client, &place);
	if (r < 0)
		return r;
	do
		part = party_next_part(place.page, place.name, &at);
	while (part && (part->first == NONE || part->limit != party_limit_of(cell)));
	r = part ? link_cells(store, farm, part, before, behind) : -EUCLEAN;
	cell->kin_next = cell->kin_prev = NONE;
	store_touch(store, cell, sizeof(*cell));
	if (r < 0)
		return r;
	if (part->first == NONE) {
		struct party gone = *part;

		/* The party's other parts know what it holds; the last part stays for that. */
		*part = party_unused;
		if (!party_first_part(place.page, place.name)) {
			*part = gone;
			part->limit = 0;
		}
	}
	return changed(store, farm, part, place.number);
}
