/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "party_tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "party.h"
#include "queue.h"

#define FANOUT PARTIES_PER_PAGE

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

/* Whether a ticket of the part may have a slot. */
static bool may_have(const struct party *part)
{
	return part->first != NONE && (part->limit == 0 || part->held < part->limit);
}

static uint32_t level_pages(const struct farm *farm, unsigned level)
{
	uint32_t pages = party_pages(farm);

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

int party_tree_update(struct store *store, const struct farm *farm, uint32_t number)
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

int party_tree_next(struct store *store, const struct farm *farm, uint32_t *ret)
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

int party_tree_put(struct store *store, const struct farm *farm, const struct party_page *pages)
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
