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
	r = store_get(store, STORE_PARTY, 0, *ret_page, sizeof(struct party_page), &page);
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

/* What a cell's links must be: those of the claim at i. */
static void links_of(const struct claims *claims, size_t i, uint32_t *ret_prev, uint32_t *ret_next)
{
	const struct claim *claim = &claims->items[i];

	*ret_prev = i > 0 && claim[-1].number > 0 && strcmp(claim[-1].party, claim->party) == 0 ? claim[-1].cell : NONE;
	*ret_next = i + 1 < claims->n && strcmp(claim[1].party, claim->party) == 0 ? claim[1].cell : NONE;
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

/* The party of that name, with a turn that can be true; or NULL. */
static struct party *find_known(const struct known *known, const char *name)
{
	struct party *none, *party = look_up(&known->pages[page_of(&known->farm, name)], name, &none);

	return party && party->turn <= known->farm.turn ? party : NULL;
}

/* Puts all parties into pages: first those that stay where they are, then the others. Those that are known keep their turns.
 * 0; 1: the turn of a party that waits is not known; or -EXFULL. */
static int place(const struct farm *farm, const struct claims *claims, const struct known *known, struct party_page *pages)
{
	bool same = known->farm.parties == farm->parties && known->farm.party_seed == farm->party_seed;
	int r = 0;

	for (uint32_t i = 0; i < farm->parties; i++)
		pages[i / PARTIES_PER_PAGE].parties[i % PARTIES_PER_PAGE] = unused;
	for (unsigned moving = 0; moving < 2; moving++)
		for (size_t at = 0; at < claims->n;) {
			struct party party = sum_up(claims, &at), *to;
			uint32_t page = page_of(farm, party.name);
			const struct party *was = find_known(known, party.name);

			if ((same && was) != !moving)
				continue;
			if (was)
				party.turn = was->turn;
			else if (party.first != NONE)
				r = 1;
			if (moving)
				(void)look_up(&pages[page], party.name, &to);
			else
				to = &pages[page].parties[was - known->pages[page].parties];
			if (!to)
				return -EXFULL;
			*to = party;
		}
	return r;
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
			r = place(farm, claims, known, pages);
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
