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

struct party_page {
	struct party parties[FANOUT];
};

/* The first party below to get a slot: the smallest of all. */
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

static bool is_used(const struct party *party)
{
	return party->held > 0 || party->first != NONE;
}

static const struct party unused = { .first = NONE, .last = NONE };

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

bool party_is_before(const struct party *a, const struct party *b)
{
	const struct party_key x = key_of(a), y = key_of(b);

	return is_before(&x, &y);
}

/* The key of item i of a page. */
static struct party_key key_at(const void *page, unsigned level, uint32_t i)
{
	const struct party *party = &((const struct party_page *)page)->parties[i];

	if (level > 0)
		return ((const struct key_page *)page)->keys[i];
	return party->first == NONE ? nothing : (struct party_key)key_of(party);
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

/* After a party of a page was changed: writes the keys above, as far as they change. Staged only. */
static int update(struct store *store, const struct farm *farm, uint32_t number)
{
	for (unsigned level = 0; level_pages(farm, level) > 1; level++, number /= FANOUT) {
		struct party_key first, *above;
		uint32_t item;
		void *page;
		int r = store_get(store, STORE_PARTY, level, number, page_size(level), &page, NULL);

		if (r < 0)
			return r;
		first = page_first(page, level, &item);
		r = store_get(store, STORE_PARTY, level + 1, number / FANOUT, page_size(level + 1), &page, NULL);
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
		int r = store_get(store, STORE_PARTY, level, number, page_size(level), &page, NULL);

		if (r < 0)
			return r;
		first = page_first(page, level, &item);
		if (first.held == nothing.held)
			return 1;
		if (level == 0)
			break;
		number = number * FANOUT + item;
	}
	*ret = ((struct party_page *)page)->parties[item].first;
	return 0;
}

/* ---- a party ---- */

static struct party *look_up(struct party_page *page, const char *name, struct party **ret_unused)
{
	*ret_unused = NULL;
	for (uint32_t i = 0; i < PARTIES_PER_PAGE; i++) {
		struct party *party = &page->parties[i];

		if (is_used(party) && strncmp(party->name, name, SCORE_CLIENT_MAX) == 0)
			return party;
		if (!is_used(party) && !*ret_unused)
			*ret_unused = party;
	}
	return NULL;
}

/* The party of a client, and its page. 0; -ENOENT: there is none, and *ret is an unused one or NULL; or -errno. */
static int find(struct store *store, const struct farm *farm, const char *client, struct party **ret, uint32_t *ret_page)
{
	char name[SCORE_CLIENT_MAX + 1];
	struct party *party;
	void *page;
	int r;

	client_party(client, name);
	*ret_page = page_of(farm, name);
	r = store_get(store, STORE_PARTY, 0, *ret_page, sizeof(struct party_page), &page, NULL);
	if (r < 0)
		return r;
	party = look_up(page, name, ret);
	if (!party)
		return -ENOENT;
	*ret = party;
	return 0;
}

/* As find(), but makes the party. -EXFULL: there is no room. */
static int find_or_make(struct store *store, const struct farm *farm, const char *client, struct party **ret,
			uint32_t *ret_page)
{
	int r = find(store, farm, client, ret, ret_page);

	if (r != -ENOENT)
		return r;
	if (!*ret)
		return -EXFULL;
	**ret = unused;
	client_party(client, (*ret)->name);
	return 0;
}

static int changed(struct store *store, const struct farm *farm, struct party *party, uint32_t page)
{
	if (!is_used(party))
		*party = unused;
	store_touch(store, party, sizeof(*party));
	return update(store, farm, page);
}

/* The party begins to wait with so many slots. */
static void take_turn(struct store *store, struct farm *farm, struct party *party)
{
	party->turn = ++farm->turn;
	store_touch(store, &farm->turn, sizeof(farm->turn));
}

int party_hold(struct store *store, struct farm *farm, const char *client)
{
	struct party *party;
	uint32_t page;
	int r;

	if (farm->parties == 0)
		return 0;
	r = find_or_make(store, farm, client, &party, &page);
	if (r < 0)
		return r;
	party->held++;
	if (party->first != NONE)
		take_turn(store, farm, party);
	return changed(store, farm, party, page);
}

int party_release(struct store *store, struct farm *farm, const char *client)
{
	struct party *party;
	uint32_t page;
	int r;

	if (farm->parties == 0)
		return 0;
	r = must_exist(find(store, farm, client, &party, &page));
	if (r < 0)
		return r;
	if (party->held == 0)
		return -EUCLEAN;
	party->held--;
	if (party->first != NONE)
		take_turn(store, farm, party);
	return changed(store, farm, party, page);
}

int party_get(struct store *store, const struct farm *farm, const char *client, struct party *ret)
{
	char name[SCORE_CLIENT_MAX + 1];
	const struct party *party;
	struct party_page page;
	struct party *other;
	int r;

	*ret = unused;
	if (farm->parties == 0)
		return 0;
	client_party(client, name);
	r = store_read(store, STORE_PARTY, 0, page_of(farm, name), &page, sizeof(page));
	if (r < 0)
		return r;
	party = look_up(&page, name, &other);
	if (party)
		*ret = *party;
	return 0;
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

int party_wait(struct store *store, struct farm *farm, uint32_t number)
{
	uint32_t page, before, behind;
	struct party *party;
	struct cell *cell;
	int r;

	if (farm->parties == 0)
		return 0;
	r = queue_get(store, farm, number, &cell) ?: find_or_make(store, farm, cell->client, &party, &page);
	if (r == 0 && party->first == NONE)
		take_turn(store, farm, party);
	if (r == 0)
		r = find_place(store, farm, party, cell->number, &before, &behind);
	if (r == 0)
		r = link_cells(store, farm, party, before, number);
	if (r == 0)
		r = link_cells(store, farm, party, number, behind);
	return r < 0 ? r : changed(store, farm, party, page);
}

int party_unwait(struct store *store, const struct farm *farm, struct cell *cell)
{
	uint32_t before = cell->kin_prev, behind = cell->kin_next, page;
	struct party *party;
	int r;

	if (farm->parties == 0)
		return 0;
	r = must_exist(find(store, farm, cell->client, &party, &page));
	if (r == 0 && party->first == NONE)
		r = -EUCLEAN;
	if (r == 0)
		r = link_cells(store, farm, party, before, behind);
	cell->kin_next = cell->kin_prev = NONE;
	store_touch(store, cell, sizeof(*cell));
	return r < 0 ? r : changed(store, farm, party, page);
}

/* ---- all of them, from the slots and the cells ---- */

/* A slot that is held, or a ticket that waits: then number is the ticket's. */
struct claim {
	char party[SCORE_CLIENT_MAX + 1];
	uint64_t number;
	uint32_t cell;
};

struct claims {
	struct claim *items;
	size_t n, room;
};

static int add_claim(struct claims *claims, const char *client, uint64_t number, uint32_t cell)
{
	if (GROW(claims->items, claims->n, claims->room) < 0)
		return -ENOMEM;
	client_party(client, claims->items[claims->n].party);
	claims->items[claims->n].number = number;
	claims->items[claims->n++].cell = cell;
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
				r = add_claim(claims, slot->client, 0, NONE);
		}
	}
	return r;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->party, y->party);

	return order ? order : (x->number > y->number) - (x->number < y->number);
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
			r = add_claim(ret, cell.client, cell.number, at);
	}
	if (r == 0 && ret->n > 0)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_claims);
	return r;
}

/* The party of the claims from *at on, which is then set behind them. Its turn is the number of its first ticket. */
static struct party sum_up(const struct claims *claims, size_t *at)
{
	const struct claim *first = &claims->items[*at];
	struct party party = unused;

	(void)memcpy(party.name, first->party, sizeof(party.name));
	for (; *at < claims->n && strcmp(claims->items[*at].party, first->party) == 0; ++*at) {
		const struct claim *claim = &claims->items[*at];

		if (claim->number == 0) {
			party.held++;
			continue;
		}
		if (party.first == NONE) {
			party.first = claim->cell;
			party.turn = claim->number;
		}
		party.last = claim->cell;
	}
	return party;
}

/* The parties before they are made anew. */
struct known {
	struct party *parties;
	uint32_t n;
};

/* What a cell's links must be: those of the claim at i. */
static void links_of(const struct claims *claims, size_t i, uint32_t *ret_prev, uint32_t *ret_next)
{
	const struct claim *claim = &claims->items[i];

	*ret_prev = i > 0 && claim[-1].number > 0 && strcmp(claim[-1].party, claim->party) == 0 ? claim[-1].cell : NONE;
	*ret_next = i + 1 < claims->n && strcmp(claim[1].party, claim->party) == 0 ? claim[1].cell : NONE;
}

static int compare_names(const void *a, const void *b)
{
	const struct party *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The parties as they are, in the order of their names. 0 or -errno. */
static int read_parties(struct store *store, const struct farm *farm, struct known *ret)
{
	struct party_page page;
	int r = 0;

	*ret = (struct known){ .parties = calloc(farm->parties, sizeof(*ret->parties)) };
	if (!ret->parties)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < farm->parties / PARTIES_PER_PAGE; i++) {
		r = store_read(store, STORE_PARTY, 0, i, &page, sizeof(page));
		for (uint32_t j = 0; r == 0 && j < PARTIES_PER_PAGE; j++)
			if (is_used(&page.parties[j]))
				ret->parties[ret->n++] = page.parties[j];
	}
	for (uint32_t i = 0; i < ret->n; i++)
		ret->parties[i].name[SCORE_CLIENT_MAX] = '\0';
	qsort(ret->parties, ret->n, sizeof(*ret->parties), compare_names);
	return r;
}

/* Puts all parties into pages; those that are known keep their turns. 0, or -EXFULL. */
static int place(const struct farm *farm, const struct claims *claims, const struct known *known, struct party_page *pages)
{
	for (uint32_t i = 0; i < farm->parties; i++)
		pages[i / PARTIES_PER_PAGE].parties[i % PARTIES_PER_PAGE] = unused;
	for (size_t at = 0; at < claims->n;) {
		struct party party = sum_up(claims, &at), *free_one;
		const struct party *same;

		(void)look_up(&pages[page_of(farm, party.name)], party.name, &free_one);
		if (!free_one)
			return -EXFULL;
		same = known->n > 0 ? bsearch(&party, known->parties, known->n, sizeof(party), compare_names) : NULL;
		if (same)
			party.turn = same->turn;
		*free_one = party;
	}
	return 0;
}

/* The page of keys above the pages of a level, which are all in memory; and so on to the top. Calls put for each. */
static int each_key_page(const struct farm *farm, const struct party_page *pages,
			 int (*put)(struct store *store, unsigned level, uint32_t number, const struct key_page *page),
			 struct store *store)
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
			r = put(store, level, i, &keys[i]);
		free(mine);
		below = mine = keys;
	}
	free(mine);
	return r;
}

static int put_keys(struct store *store, unsigned level, uint32_t number, const struct key_page *page)
{
	return store_put(store, STORE_PARTY, level, number, page, sizeof(*page));
}

static int write_links(struct store *store, const struct farm *farm, const struct claims *claims)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < claims->n; i++) {
		struct cell *cell;

		if (claims->items[i].number == 0)
			continue;
		r = queue_get(store, farm, claims->items[i].cell, &cell);
		if (r < 0)
			break;
		links_of(claims, i, &cell->kin_prev, &cell->kin_next);
		store_touch(store, &cell->kin_next, sizeof(cell->kin_next));
		store_touch(store, &cell->kin_prev, sizeof(cell->kin_prev));
		r = store_flush(store);
	}
	return r;
}

static int new_seed(struct farm *farm)
{
	return getrandom(&farm->party_seed, sizeof(farm->party_seed), 0) == sizeof(farm->party_seed) ? 0 : -EIO;
}

/* Makes the records for farm->parties parties or more. */
static int build(struct store *store, struct farm *farm, const struct known *known)
{
	struct party_page *pages = NULL;
	struct claims claims = { .n = 0 };
	int r;

	/* Tickets' numbers stand for turns that are not known. */
	if (farm->turn < farm->next_ticket)
		farm->turn = farm->next_ticket;
	r = collect(store, farm, &claims);
	for (bool placed = false; r == 0 && !placed;) {
		void *more = reallocarray(pages, farm->parties / PARTIES_PER_PAGE, sizeof(*pages));

		r = more ? new_seed(farm) : -ENOMEM;
		if (!more)
			break;
		pages = more;
		placed = r == 0 && place(farm, &claims, known, pages) == 0;
		if (r == 0 && !placed)
			r = farm->parties > PARTIES_MAX / 2 ? -EUSERS : 0;
		if (r == 0 && !placed)
			farm->parties *= 2;
	}
	for (uint32_t i = 0; r == 0 && i < level_pages(farm, 0); i++)
		r = store_put(store, STORE_PARTY, 0, i, &pages[i], sizeof(pages[i]));
	if (r == 0)
		r = each_key_page(farm, pages, put_keys, store);
	if (r == 0)
		r = write_links(store, farm, &claims);
	free(claims.items);
	free(pages);
	return r;
}

int party_build(struct store *store, struct farm *farm)
{
	return farm->parties == 0 ? 0 : build(store, farm, &(struct known){ .n = 0 });
}

int party_grow(struct store *store, struct farm *farm)
{
	struct known known;
	int r;

	if (farm->parties > PARTIES_MAX / 2)
		return -EUSERS;
	r = read_parties(store, farm, &known);
	if (r == 0) {
		farm->parties *= 2;
		r = build(store, farm, &known);
	}
	free(known.parties);
	return r;
}

/* 1 if the page in the store is another. */
static int compare_keys(struct store *store, unsigned level, uint32_t number, const struct key_page *page)
{
	struct key_page is;
	int r = store_read(store, STORE_PARTY, level, number, &is, sizeof(is));

	return r == -EUCLEAN ? 1 : r < 0 ? r : memcmp(&is, page, sizeof(is)) != 0;
}

/* Whether each party is in its page as it must be, and no other party is. 0 yes, 1 no. */
static int compare_parties(const struct farm *farm, const struct claims *claims, struct party_page *pages)
{
	uint32_t n = 0, used = 0;

	for (size_t at = 0; at < claims->n; n++) {
		struct party party = sum_up(claims, &at), *other;
		const struct party *is = look_up(&pages[page_of(farm, party.name)], party.name, &other);

		party.turn = is ? is->turn : 0;
		if (!is || party.turn > farm->turn || memcmp(is, &party, sizeof(party)) != 0)
			return 1;
	}
	for (uint32_t i = 0; i < farm->parties; i++) {
		const struct party *party = &pages[i / PARTIES_PER_PAGE].parties[i % PARTIES_PER_PAGE];

		used += is_used(party);
		if (!is_used(party) && memcmp(party, &unused, sizeof(unused)) != 0)
			return 1;
	}
	return used != n;
}

static int compare_links(struct store *store, const struct farm *farm, const struct claims *claims)
{
	for (size_t i = 0; i < claims->n; i++) {
		uint32_t prev, next;
		struct cell cell;
		int r;

		if (claims->items[i].number == 0)
			continue;
		links_of(claims, i, &prev, &next);
		r = queue_read(store, farm, claims->items[i].cell, &cell);
		if (r < 0)
			return r;
		if (cell.kin_prev != prev || cell.kin_next != next)
			return 1;
	}
	return 0;
}

int party_check(struct store *store, const struct farm *farm)
{
	struct claims claims = { .n = 0 };
	struct party_page *pages;
	int r = 0;

	if (farm->parties == 0)
		return 0;
	pages = reallocarray(NULL, farm->parties / PARTIES_PER_PAGE, sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < level_pages(farm, 0); i++)
		r = store_read(store, STORE_PARTY, 0, i, &pages[i], sizeof(pages[i]));
	r = r == -EUCLEAN ? 1 : r;
	if (r == 0)
		r = collect(store, farm, &claims);
	if (r == 0)
		r = compare_parties(farm, &claims, pages);
	if (r == 0)
		r = each_key_page(farm, pages, compare_keys, store);
	if (r == 0)
		r = compare_links(store, farm, &claims);
	free(claims.items);
	free(pages);
	return r;
}
