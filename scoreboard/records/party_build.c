/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "party_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client.h"
#include "index.h"
#include "party.h"
#include "party_page.h"
#include "party_tree.h"
#include "slot.h"
#include "system/grow.h"

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
		else if (claim[-1].limit != claim->limit && n++ == PARTY_PARTS_MAX) {
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
			r = add_claim(ret, cell.client, cell.number, at, party_limit_of(&cell));
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
	uint32_t n = party_pages(&known->farm);
	int r = 0;

	known->pages = reallocarray(NULL, n, sizeof(*known->pages));
	if (!known->pages)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = store_read(store, STORE_PARTY, 0, i, &known->pages[i], sizeof(known->pages[i]));
		for (uint32_t j = 0; r == -EUCLEAN && j < PARTIES_PER_PAGE; j++)
			known->pages[i].parties[j] = party_unused;
		r = r == -EUCLEAN ? 0 : r;
	}
	return r;
}

/* A part of the party of that name, with a turn that can be true; or NULL. */
static const struct party *find_known(const struct known *known, const char *name)
{
	const struct party *part = party_first_part(&known->pages[party_page_of(&known->farm, name)], name);

	return part && part->turn <= known->farm.turn ? part : NULL;
}

/* The place that a part had in its page, or NULL. */
static struct party *place_before(const struct known *known, const struct party *part, struct party_page *page)
{
	struct party_page *was = &known->pages[party_page_of(&known->farm, part->name)];
	uint32_t at = 0;

	for (struct party *old; (old = party_next_part(was, part->name, &at));)
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
	struct party_page *page = &l->pages[party_page_of(l->farm, part->name)];
	struct party *to = same ? place_before(l->known, part, page) : NULL;

	if (l->moving != !to)
		return 0;
	if (!to)
		to = party_find_unused(page);
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
	struct party part = party_unused;
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
		pages[i / PARTIES_PER_PAGE].parties[i % PARTIES_PER_PAGE] = party_unused;
	for (unsigned pass = 0; r >= 0 && pass < 2; pass++) {
		l.moving = pass > 0;
		for (size_t at = 0; r >= 0 && at < claims->n;) {
			r = lay_party(&l, &at);
			unknown |= r == 1;
		}
	}
	return r < 0 ? r : unknown;
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
		if (party_limit_of(cell) != claims->items[i].limit)
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
		struct party_page *pages = reallocarray(NULL, party_pages(farm), sizeof(*pages));
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

	for (uint32_t i = 0; r == 0 && i < party_pages(farm); i++)
		r = store_put(store, STORE_PARTY, 0, i, &pages[i], sizeof(pages[i]));
	if (r == 0)
		r = party_tree_put(store, farm, pages) ?: put_links(store, &claims);
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
