/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "party.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client.h"
#include "index.h"
#include "ring.h"
#include "slot.h"
#include "system/grow.h"

#define FANOUT PARTIES_PER_PAGE
#define PARTS_MAX 15u /* of a party */

struct party_page {
	struct party parties[FANOUT];
};

/* The first part below to get a slot: the smallest of all. */
struct party_key {
	uint64_t turn;
	uint32_t held;
	uint32_t reserved;
};

struct key_page {
	struct party_key keys[FANOUT];
};

static const struct party_key nothing = { .turn = UINT64_MAX, .held = UINT32_MAX };

/* The page of a party. The seed keeps strangers from choosing addresses that fill a page. */
static uint32_t page_of(const struct farm *farm, const char *name)
{
	uint32_t pages = farm->parties / PARTIES_PER_PAGE;

	return pages > 1 ? (uint32_t)(ring_mix(ring_hash(name, strlen(name)), farm->party_seed) % pages) : 0;
}

static bool is_used(const struct party *part)
{
	return part->held > 0 || part->first != NONE;
}

static const struct party unused = { .first = NONE, .last = NONE };

/* How many slots the client of a ticket may have; 0: any number, as clients without an address. */
static uint32_t limit_of(const struct cell *cell)
{
	return client_is_same(cell->client, cell->client) ? cell->per_client : 0;
}

/* Whether a ticket of the part may have a slot. */
static bool may_have(const struct party *part)
{
	return part->first != NONE && (part->limit == 0 || part->held < part->limit);
}

/* ---- the tree ---- */

static uint32_t level_pages(const struct farm *farm, unsigned level)
{
	uint32_t pages = farm->parties / PARTIES_PER_PAGE;

	while (level--)
		pages = (pages + FANOUT - 1) / FANOUT;
	return pages;
}

static size_t page_size(unsigned level)
{
	return level == 0 ? sizeof(struct party_page) : sizeof(struct key_page);
}

static bool is_before(const struct party_key *a, const struct party_key *b)
{
	return a->held != b->held ? a->held < b->held : a->turn < b->turn;
}

static struct party_key key_of(const struct party *party)
{
	return (struct party_key){ .turn = party->turn, .held = party->held };
}

/* The key of item i of a page. */
static struct party_key key_at(const void *page, unsigned level, uint32_t i)
{
	const struct party *part = &((const struct party_page *)page)->parties[i];

	if (level > 0)
		return ((const struct key_page *)page)->keys[i];
	return may_have(part) ? key_of(part) : nothing;
}

/* The first of a page, and which item of it that is. */
static struct party_key page_first(const void *page, unsigned level, uint32_t *ret_item)
{
	struct party_key first = key_at(page, level, 0);

	*ret_item = 0;
	for (uint32_t i = 1; i < FANOUT; i++) {
		struct party_key key = key_at(page, level, i);

		if (is_before(&key, &first)) {
			first = key;
			*ret_item = i;
		}
	}
	return first;
}

/* After a part of a page was changed: writes the keys above, as far as they change. Staged only. */
static int update(struct store *store, const struct farm *farm, uint32_t number)
{
	for (unsigned level = 0; level_pages(farm, level) > 1; level++, number /= FANOUT) {
		struct party_key first, *above;
		uint32_t item;
		void *page;
		int r = store_get(store, STORE_PARTY, level, number, page_size(level), &page);

		if (r < 0)
			return r;
		first = page_first(page, level, &item);
		r = store_get(store, STORE_PARTY, level + 1, number / FANOUT, page_size(level + 1), &page);
		if (r < 0)
			return r;
		above = &((struct key_page *)page)->keys[number % FANOUT];
		if (memcmp(above, &first, sizeof(first)) == 0)
			break;
		*above = first;
		store_touch(store, above, sizeof(*above));
	}
	return 0;
}

/* Which part of a page, of those with the same key as part i, has the oldest ticket: parts of a party have the same key. */
static int oldest_of(struct store *store, const struct farm *farm, const struct party_page *page, uint32_t i, uint32_t *ret)
{
	const struct party_key first = key_at(page, 0, i);
	uint64_t number = UINT64_MAX;

	for (; i < PARTIES_PER_PAGE; i++) {
		struct party_key key = key_at(page, 0, i);
		struct cell cell;
		int r;

		if (memcmp(&key, &first, sizeof(key)) != 0)
			continue;
		r = queue_read(store, farm, page->parties[i].first, &cell);
		if (r < 0)
			return r;
		if (cell.number < number) {
			number = cell.number;
			*ret = page->parties[i].first;
		}
	}
	return 0;
}

int party_next(struct store *store, const struct farm *farm, uint32_t *ret)
{
	uint32_t number = 0, item = 0;
	struct party_key first;
	unsigned level = 0;
	void *page;

	if (farm->parties == 0)
		return 1;
	while (level_pages(farm, level) > 1)
		level++;
	for (;; level--) {
		int r = store_get(store, STORE_PARTY, level, number, page_size(level), &page);

		if (r < 0)
			return r;
		first = page_first(page, level, &item);
		if (first.held == nothing.held)
			return 1;
		if (level == 0)
			return oldest_of(store, farm, page, item, ret);
		number = number * FANOUT + item;
	}
}

/* ---- a party and its parts ---- */

/* The first part, at or behind the part *at, of the party of that name; *at is then set behind it. NULL: there is none. */
static struct party *next_part(struct party_page *page, const char *name, uint32_t *at)
{
	while (*at < PARTIES_PER_PAGE) {
		struct party *part = &page->parties[(*at)++];

		if (is_used(part) && strncmp(part->name, name, SCORE_CLIENT_MAX) == 0)
			return part;
	}
	return NULL;
}

static struct party *first_part(struct party_page *page, const char *name)
{
	uint32_t at = 0;

	return next_part(page, name, &at);
}

static struct party *find_unused(struct party_page *page)
{
	for (uint32_t i = 0; i < PARTIES_PER_PAGE; i++)
		if (!is_used(&page->parties[i]))
			return &page->parties[i];
	return NULL;
}

/* A page, its number, and a party that is in that page if it is anywhere. */
struct place {
	struct party_page *page;
	uint32_t number;
	char name[SCORE_CLIENT_MAX + 1];
};

static int find(struct store *store, const struct farm *farm, const char *client, struct place *ret)
{
	client_party(client, ret->name);
	ret->number = page_of(farm, ret->name);
	return STORE_GET(store, STORE_PARTY, 0, ret->number, &ret->page);
}

/* Makes a part of a party: as like, which is another part of it, or NULL. NULL: there is no room. */
static struct party *make_part(struct place *place, const struct party *like)
{
	struct party *part = find_unused(place->page);

	if (!part)
		return NULL;
	*part = unused;
	(void)memcpy(part->name, place->name, sizeof(part->name));
	if (like) {
		part->held = like->held;
		part->turn = like->turn;
	}
	return part;
}

static int changed(struct store *store, const struct farm *farm, struct party *part, uint32_t page)
{
	if (!is_used(part))
		*part = unused;
	store_touch(store, part, sizeof(*part));
	return update(store, farm, page);
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
	bool waits = first_part(place->page, place->name)->first != NONE;
	uint64_t turn = waits ? take_turn(store, farm) : 0;

	for (struct party *part; (part = next_part(place->page, place->name, &at));) {
		part->held = held;
		if (waits)
			part->turn = turn;
		if (!is_used(part))
			*part = unused;
		store_touch(store, part, sizeof(*part));
	}
	return update(store, farm, place->number);
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
	part = first_part(place.page, place.name);
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
	part = first_part(place.page, place.name);
	return part && part->held > 0 ? hold(store, farm, &place, part->held - 1) : -EUCLEAN;
}

int party_get(struct store *store, const struct farm *farm, const char *client, struct party *ret)
{
	char name[SCORE_CLIENT_MAX + 1];
	const struct party *part;
	struct party_page page;
	int r;

	*ret = unused;
	if (farm->parties == 0)
		return 0;
	client_party(client, name);
	r = store_read(store, STORE_PARTY, 0, page_of(farm, name), &page, sizeof(page));
	if (r < 0)
		return r;
	part = first_part(&page, name);
	if (part)
		*ret = *part;
	return 0;
}

int party_is_full(struct store *store, const struct farm *farm, const struct cell *cell)
{
	uint32_t limit = limit_of(cell);
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

	for (struct party *part; (part = next_part(place->page, place->name, &at)); n++) {
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
	if (n == PARTS_MAX) {
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
	part = first_part(place.page, place.name);
	waits = part && part->first != NONE;
	r = find_part(&place, limit_of(cell), &part);
	if (r == 0 && !waits)
		part->turn = take_turn(store, farm);
	if (r == 0 && part->limit != limit_of(cell)) {
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
		part = next_part(place.page, place.name, &at);
	while (part && (part->first == NONE || part->limit != limit_of(cell)));
	r = part ? link_cells(store, farm, part, before, behind) : -EUCLEAN;
	cell->kin_next = cell->kin_prev = NONE;
	store_touch(store, cell, sizeof(*cell));
	if (r < 0)
		return r;
	if (part->first == NONE) {
		struct party gone = *part;

		/* The party's other parts know what it holds; the last part stays for that. */
		*part = unused;
		if (!first_part(place.page, place.name)) {
			*part = gone;
			part->limit = 0;
		}
	}
	return changed(store, farm, part, place.number);
}

/* ---- all of them, from the slots and the cells ---- */

/* A slot that is held, or a ticket that waits: then number is the ticket's. */
struct claim {
	char party[SCORE_CLIENT_MAX + 1];
	uint64_t number;
	uint32_t cell;
	uint32_t limit;
};

struct claims {
	struct claim *items;
	size_t n, room;
};

static int add_claim(struct claims *claims, const char *client, uint64_t number, uint32_t cell, uint32_t limit)
{
	if (GROW(claims->items, claims->n, claims->room) < 0)
		return -ENOMEM;
	claims->items[claims->n] = (struct claim){ .number = number, .cell = cell, .limit = limit };
	client_party(client, claims->items[claims->n++].party);
	return 0;
}

static int add_slots(struct store *store, const struct index_entry *entry, struct claims *claims)
{
	uint32_t left = entry->busy;
	int r = 0;

	for (uint32_t page = 0; r == 0 && left > 0; page++) {
		struct slot_page slots;

		r = must_exist(store_read(store, STORE_SLOTS, entry->id, page, &slots, sizeof(slots)));
		for (uint32_t i = 0; r == 0 && i < SLOTS_PER_PAGE; i++) {
			struct slot *slot = &slots.slots[i];

			left -= left > 0 && slot->state != SLOT_FREE;
			slot->client[SCORE_CLIENT_MAX] = '\0';
			if (slot->state == SLOT_GRANTED || slot->state == SLOT_BUSY)
				r = add_claim(claims, slot->client, 0, NONE, 0);
		}
	}
	return r;
}

static bool is_same_party(const struct claim *a, const struct claim *b)
{
	return strcmp(a->party, b->party) == 0;
}

static bool is_same_part(const struct claim *a, const struct claim *b)
{
	return is_same_party(a, b) && (a->number > 0) == (b->number > 0) && a->limit == b->limit;
}

/* By parties; the slots of a party before its tickets, and these by their parts, from the lowest limit to none. */
static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->party, y->party);

	if (order || (x->number > 0) != (y->number > 0))
		return order ? order : x->number > 0 ? 1 : -1;
	if (x->limit != y->limit)
		return x->limit - 1 > y->limit - 1 ? 1 : -1;
	return (x->number > y->number) - (x->number < y->number);
}

/* Sorts the claims. A party with more limits than it may have parts has damaged cells: the highest limits are lowered. */
static void sort(struct claims *claims)
{
	bool lowered = false;
	unsigned n = 0;

	if (claims->n > 0)
		qsort(claims->items, claims->n, sizeof(*claims->items), compare_claims);
	for (size_t i = 1; i < claims->n; i++) {
		struct claim *claim = &claims->items[i];

		if (!is_same_party(claim - 1, claim) || claim[-1].number == 0)
			n = 1;
		else if (claim[-1].limit != claim->limit && n++ == PARTS_MAX) {
			claim->limit = claim[-1].limit;
			lowered = true;
			n--;
		}
	}
	if (lowered)
		qsort(claims->items, claims->n, sizeof(*claims->items), compare_claims);
}

/* Collects all that is held or waits, in the order of parties, and of each party in that of its tickets. */
static int collect(struct store *store, const struct farm *farm, struct claims *ret)
{
	struct index_entry entries[INDEX_PAGE_ENTRIES];
	struct cell cell;
	int r = 0, n;

	for (uint32_t page = 0; r == 0 && page * INDEX_PAGE_ENTRIES < farm->n_nodes; page++) {
		n = index_read_page(store, farm, page, entries);
		r = n < 0 ? n : 0;
		for (int i = 0; r == 0 && i < n; i++)
			r = add_slots(store, &entries[i], ret);
	}
	for (uint32_t at = farm->queue_head, left = farm->queue_length; r == 0 && at != NONE; at = cell.next) {
		r = left-- == 0 ? -EUCLEAN : queue_read(store, farm, at, &cell);
		if (r == 0)
			r = add_claim(ret, cell.client, cell.number, at, limit_of(&cell));
	}
	if (r == 0)
		sort(ret);
	return r;
}

/* Where the party of the claims from at on ends; how many slots it holds; and the number of its oldest ticket, 0 if none waits. */
static size_t sum_up(const struct claims *claims, size_t at, uint32_t *ret_held, uint64_t *ret_oldest)
{
	const struct claim *first = &claims->items[at];

	*ret_held = 0;
	*ret_oldest = 0;
	for (; at < claims->n && is_same_party(&claims->items[at], first); at++) {
		uint64_t number = claims->items[at].number;

		*ret_held += number == 0;
		if (number > 0 && (*ret_oldest == 0 || number < *ret_oldest))
			*ret_oldest = number;
	}
	return at;
}

/* What a cell's links must be: those of the claim at i. */
static void links_of(const struct claims *claims, size_t i, uint32_t *ret_prev, uint32_t *ret_next)
{
	const struct claim *claim = &claims->items[i];

	*ret_prev = i > 0 && is_same_part(claim - 1, claim) ? claim[-1].cell : NONE;
	*ret_next = i + 1 < claims->n && is_same_part(claim, claim + 1) ? claim[1].cell : NONE;
}

/* The parties as they are before they are made anew. */
struct known {
	struct farm farm;
	struct party_page *pages;
};

/* Pages that cannot be read are empty. 0 or -errno. */
static int read_known(struct store *store, struct known *known)
{
	uint32_t n = level_pages(&known->farm, 0);
	int r = 0;

	known->pages = reallocarray(NULL, n, sizeof(*known->pages));
	if (!known->pages)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = store_read(store, STORE_PARTY, 0, i, &known->pages[i], sizeof(known->pages[i]));
		for (uint32_t j = 0; r == -EUCLEAN && j < PARTIES_PER_PAGE; j++)
			known->pages[i].parties[j] = unused;
		r = r == -EUCLEAN ? 0 : r;
	}
	return r;
}

/* A part of the party of that name, with a turn that can be true; or NULL. */
static const struct party *find_known(const struct known *known, const char *name)
{
	const struct party *part = first_part(&known->pages[page_of(&known->farm, name)], name);

	return part && part->turn <= known->farm.turn ? part : NULL;
}

/* The place that a part had in its page, or NULL. */
static struct party *place_before(const struct known *known, const struct party *part, struct party_page *page)
{
	struct party_page *was = &known->pages[page_of(&known->farm, part->name)];
	uint32_t at = 0;

	for (struct party *old; (old = next_part(was, part->name, &at));)
		if (old->limit == part->limit)
			return &page->parties[old - was->parties];
	return NULL;
}

/* How parts are put into pages. */
struct laying {
	const struct farm *farm;
	const struct claims *claims;
	const struct known *known;
	struct party_page *pages;
	bool moving;           /* the parts that stay where they are have their places */
};

/* Puts a part into its page, if its turn is now: parts that stay where they are come first. 0 or -EXFULL. */
static int lay_part(const struct laying *l, const struct party *part)
{
	bool same = l->known->farm.parties == l->farm->parties && l->known->farm.party_seed == l->farm->party_seed;
	struct party_page *page = &l->pages[page_of(l->farm, part->name)];
	struct party *to = same ? place_before(l->known, part, page) : NULL;

	if (l->moving != !to)
		return 0;
	if (!to)
		to = find_unused(page);
	if (!to)
		return -EXFULL;
	*to = *part;
	return 0;
}

/* Puts the parts of the party of the claims from *at on, which is then set behind them. A party that is known keeps its turn. 0; 1:
 * the turn of a party that waits is not known, and is the number of its oldest ticket; or -EXFULL. */
static int lay_party(const struct laying *l, size_t *at)
{
	const struct claim *claims = l->claims->items;
	const struct party *known = find_known(l->known, claims[*at].party);
	struct party part = unused;
	uint64_t oldest;
	size_t end = sum_up(l->claims, *at, &part.held, &oldest);
	int r = 0;

	(void)memcpy(part.name, claims[*at].party, sizeof(part.name));
	part.turn = known ? known->turn : oldest;
	*at += part.held;
	if (*at == end)
		return lay_part(l, &part);
	while (r == 0 && *at < end) {
		part.first = claims[*at].cell;
		part.limit = claims[*at].limit;
		do
			part.last = claims[(*at)++].cell;
		while (*at < end && is_same_part(&claims[*at - 1], &claims[*at]));
		r = lay_part(l, &part);
	}
	return r < 0 ? r : !known;
}

/* Puts all parts into pages. Returns as lay_party(). */
static int lay_all(const struct farm *farm, const struct claims *claims, const struct known *known, struct party_page *pages)
{
	struct laying l = { farm, claims, known, pages, false };
	int r = 0, unknown = 0;

	for (uint32_t i = 0; i < farm->parties; i++)
		pages[i / PARTIES_PER_PAGE].parties[i % PARTIES_PER_PAGE] = unused;
	for (unsigned pass = 0; r >= 0 && pass < 2; pass++) {
		l.moving = pass > 0;
		for (size_t at = 0; r >= 0 && at < claims->n;) {
			r = lay_party(&l, &at);
			unknown |= r == 1;
		}
	}
	return r < 0 ? r : unknown;
}

/* Writes the pages of keys above the pages of a level, which are all in memory; and so on to the top. */
static int put_keys(struct store *store, const struct farm *farm, const struct party_page *pages)
{
	const void *below = pages;
	void *mine = NULL;
	int r = 0;

	for (unsigned level = 1; r == 0 && level_pages(farm, level - 1) > 1; level++) {
		uint32_t n_below = level_pages(farm, level - 1), n = level_pages(farm, level), item;
		struct key_page *keys = reallocarray(NULL, n, sizeof(*keys));

		if (!keys)
			r = -ENOMEM;
		for (uint32_t i = 0; keys && i < n * FANOUT; i++)
			keys[i / FANOUT].keys[i % FANOUT] = i < n_below ? page_first((const char *)below +
				i * page_size(level - 1), level - 1, &item) : nothing;
		for (uint32_t i = 0; r == 0 && i < n; i++)
			r = store_put(store, STORE_PARTY, level, i, &keys[i], sizeof(keys[i]));
		free(mine);
		below = mine = keys;
	}
	free(mine);
	return r;
}

static int put_links(struct store *store, const struct claims *claims)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < claims->n; i++) {
		uint32_t number = claims->items[i].cell;
		struct cell *cell;
		struct cell_page page;

		if (claims->items[i].number == 0)
			continue;
		r = store_read(store, STORE_QUEUE, number / CELLS_PER_PAGE, 0, &page, sizeof(page));
		if (r < 0)
			break;
		cell = &page.cells[number % CELLS_PER_PAGE];
		links_of(claims, i, &cell->kin_prev, &cell->kin_next);
		if (limit_of(cell) != claims->items[i].limit)
			cell->per_client = claims->items[i].limit;
		r = store_put(store, STORE_QUEUE, number / CELLS_PER_PAGE, 0, &page, sizeof(page));
	}
	return r;
}

static int new_seed(struct farm *farm)
{
	return getrandom(&farm->party_seed, sizeof(farm->party_seed), 0) == sizeof(farm->party_seed) ? 0 : -EIO;
}

/* Finds a layout for so many parties, or for more, in which all have a place. 0, and *ret, which the caller frees; or -errno. */
static int lay_out(struct farm *farm, uint32_t parties, const struct claims *claims, const struct known *known,
		   struct party_page **ret)
{
	for (farm->parties = parties; farm->parties <= PARTIES_MAX; farm->parties *= 2) {
		struct party_page *pages = reallocarray(NULL, level_pages(farm, 0), sizeof(*pages));
		int r = pages ? 0 : -ENOMEM;

		if (r == 0 && (farm->party_seed == 0 || farm->parties != known->farm.parties))
			r = new_seed(farm);
		if (r == 0)
			r = lay_all(farm, claims, known, pages);
		/* Tickets' numbers stand for turns that are not known. */
		if (r == 1 && farm->turn < farm->next_ticket)
			farm->turn = farm->next_ticket;
		if (r >= 0) {
			*ret = pages;
			return 0;
		}
		free(pages);
		if (r != -EXFULL)
			return r;
	}
	return -EUSERS;
}

/* Writes what is not as it must be. */
static int build(struct store *store, struct farm *farm, uint32_t parties)
{
	struct known known = { .farm = *farm };
	struct party_page *pages = NULL;
	struct claims claims = { .n = 0 };
	int r = read_known(store, &known) ?:
		collect(store, farm, &claims) ?:
		lay_out(farm, parties, &claims, &known, &pages);

	for (uint32_t i = 0; r == 0 && i < level_pages(farm, 0); i++)
		r = store_put(store, STORE_PARTY, 0, i, &pages[i], sizeof(pages[i]));
	if (r == 0)
		r = put_keys(store, farm, pages) ?: put_links(store, &claims);
	free(known.pages);
	free(claims.items);
	free(pages);
	return r;
}

int party_build(struct store *store, struct farm *farm)
{
	return farm->parties == 0 ? 0 : build(store, farm, farm->parties);
}

int party_grow(struct store *store, struct farm *farm)
{
	return build(store, farm, farm->parties * 2);
}
