/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "farm.h"
#include "list/nodelist.h"
#include "speed.h"
#include "store/store.h"

#define FANOUT INDEX_PAGE_ENTRIES

struct entry_page {
	struct index_entry entries[FANOUT];
};

struct key_page {
	struct index_key keys[FANOUT];
};

union page {
	struct entry_page entries;
	struct key_page keys;
};

static size_t page_size(unsigned level)
{
	return level == 0 ? sizeof(struct entry_page) : sizeof(struct key_page);
}

static const struct index_key nothing = { .retry_usec = UINT64_MAX };

bool index_is_up(uint32_t flags)
{
	return (flags & (ENTRY_UP | ENTRY_HELD | ENTRY_DRAINING | ENTRY_AGENT)) == ENTRY_UP;
}

bool index_is_primary_up(uint32_t flags)
{
	return index_is_up(flags) && !(flags & ENTRY_BACKUP);
}

uint32_t index_entry_free(const struct index_entry *entry)
{
	if (entry->flags & (ENTRY_HELD | ENTRY_DRAINING | ENTRY_AGENT) || entry->busy >= entry->limit)
		return 0;
	if (entry->flags & ENTRY_UP)
		return entry->limit - entry->busy;
	return entry->flags & ENTRY_TRIAL_OPEN ? 1 : 0;
}

/* ---- what a core is worth ---- */

#define STEP_OCTAVES 2491 /* log2(WORTH_STEP), in 1/65536 */

uint16_t index_worth_steps(uint64_t worth)
{
	unsigned whole = 63 - (unsigned)__builtin_clzll(worth | 1);
	uint64_t mantissa = whole > 31 ? worth >> (whole - 31) : worth << (31 - whole); /* 2^31 to 2^32 */
	uint64_t octaves = whole;

	/* The binary digits of the logarithm: each is whether the square reaches the next power of 2. */
	for (unsigned digit = 0; digit < 16; digit++) {
		mantissa = mantissa * mantissa >> 31;
		octaves = octaves << 1 | mantissa >> 32;
		mantissa >>= mantissa >> 32;
	}
	return (uint16_t)(octaves / STEP_OCTAVES + 1);
}

#define MILLION_OCTAVES 1306255 /* log2(1000000), in 1/65536 */

uint32_t index_worth_speed(uint32_t steps)
{
	int64_t octaves = (int64_t)steps * STEP_OCTAVES - STEP_OCTAVES / 2 - MILLION_OCTAVES;
	int32_t most = 19 * SPEED_OCTAVE, least = -9 * SPEED_OCTAVE;

	return speed_exp2(octaves > most ? most : octaves < least ? least : (int32_t)octaves);
}

void index_set_speed(struct index_entry *entry, uint32_t speed, uint32_t smt)
{
	entry->speed = speed;
	entry->worth = index_worth_steps((uint64_t)speed * 1000);
	entry->worth_late = index_worth_steps((uint64_t)speed * smt);
}

#define POSITION_BITS 20u
#define POSITION_MASK ((UINT64_C(1) << POSITION_BITS) - 1)

_Static_assert(NODES_MAX <= POSITION_MASK, "a position fits below a share");

/* Makes an entry's key from its other fields and its position. The time of its next trial is not changed. */
static void make_key(struct index_entry *entry, uint32_t position)
{
	uint64_t n_free = index_entry_free(entry);
	bool primary = !(entry->flags & ENTRY_BACKUP);

	entry->key = (struct index_leaf){ .retry_usec = entry->key.retry_usec };
	if (n_free > 0) {
		uint64_t share = (n_free << 31) / entry->cores; /* at least 2^15, as cores < 2^16 */
		uint32_t worth = entry->busy < (entry->cores + 1) / 2 ? entry->worth : entry->worth_late;

		entry->key.share = share << POSITION_BITS | (POSITION_MASK - position);
		entry->key.worth = (primary ? WORTH_PRIMARY : 0) | worth;
		entry->key.spread = (primary ? INDEX_PRIMARY : 0) | share * entry->speed;
	}
}

/* Moves the best worth up by so many steps. */
static void raise_worth(struct index_key *best, uint32_t steps)
{
	for (uint32_t i = WORTH_STEPS; i-- > 0;)
		best->shares[i] = i >= steps ? best->shares[i - steps] : 0;
	best->worth += steps;
}

/* Each makes *best the better of both in every respect. What has the lower position must be put in first. */

static void put_leaf(struct index_key *best, const struct index_leaf *leaf, uint32_t position)
{
	if (leaf->worth > best->worth)
		raise_worth(best, leaf->worth - best->worth);
	if (best->worth - leaf->worth < WORTH_STEPS && leaf->share > best->shares[best->worth - leaf->worth])
		best->shares[best->worth - leaf->worth] = leaf->share;
	if (leaf->spread > best->spread) {
		best->spread = leaf->spread;
		best->spread_at = position;
	}
	if (leaf->retry_usec < best->retry_usec)
		best->retry_usec = leaf->retry_usec;
}

static void put_key(struct index_key *best, const struct index_key *key)
{
	if (key->worth > best->worth)
		raise_worth(best, key->worth - best->worth);
	if (key->worth == best->worth) {
		/* The common case, in a form that a compiler can unroll. */
		for (uint32_t i = 0; i < WORTH_STEPS; i++)
			best->shares[i] = key->shares[i] > best->shares[i] ? key->shares[i] : best->shares[i];
	} else {
		for (uint32_t i = best->worth - key->worth, j = 0; i < WORTH_STEPS; i++, j++)
			if (key->shares[j] > best->shares[i])
				best->shares[i] = key->shares[j];
	}
	if (key->spread > best->spread) {
		best->spread = key->spread;
		best->spread_at = key->spread_at;
	}
	if (key->retry_usec < best->retry_usec)
		best->retry_usec = key->retry_usec;
}

uint32_t index_fastest(const struct index_key *root)
{
	uint64_t best = root->shares[0];

	for (uint32_t i = 1; i < WORTH_STEPS; i++)
		if (root->shares[i] >> POSITION_BITS > best >> POSITION_BITS)
			best = root->shares[i];
	return (uint32_t)(POSITION_MASK - (best & POSITION_MASK));
}

/* ---- the tree ---- */

/* How many items a level has, for n nodes. */
static uint32_t level_size(uint32_t n, unsigned level)
{
	while (level--)
		n = (n + FANOUT - 1) / FANOUT;
	return n;
}

/* The level with a single page, which the farm's record sums up. */
static unsigned top_level(uint32_t n)
{
	unsigned level = 0;

	for (; n > FANOUT; n = (n + FANOUT - 1) / FANOUT)
		level++;
	return level;
}

static int page_get(struct store *store, unsigned level, uint32_t page, void **ret)
{
	return store_get(store, STORE_INDEX, level, page, page_size(level), ret);
}

/* Item i of a page of keys. */
static struct index_key *page_key(void *page, uint32_t i)
{
	return &((struct key_page *)page)->keys[i];
}

/* The number of items in the page that holds item. */
static uint32_t page_items(uint32_t size, uint32_t item)
{
	uint32_t first = item / FANOUT * FANOUT;

	return size - first < FANOUT ? size - first : FANOUT;
}

/* Sums up the page that begins with item first of its level. */
static struct index_key page_sum(const void *page, unsigned level, uint32_t first, uint32_t items)
{
	struct index_key best = nothing;

	for (uint32_t i = 0; i < items; i++)
		if (level == 0)
			put_leaf(&best, &((const struct entry_page *)page)->entries[i].key, first + i);
		else
			put_key(&best, &((const struct key_page *)page)->keys[i]);
	return best;
}

/* ---- one item of a page changes ---- */

/* Item i of the page that begins with item first of its level, in the form of a sum. */
static struct index_key item_key(const void *page, unsigned level, uint32_t first, uint32_t i)
{
	const struct index_leaf *leaf = &((const struct entry_page *)page)->entries[i].key;

	if (level > 0)
		return ((const struct key_page *)page)->keys[i];
	return (struct index_key){
		.shares = { leaf->share }, .spread = leaf->spread, .spread_at = leaf->spread > 0 ? first + i : 0,
		.retry_usec = leaf->retry_usec, .worth = leaf->worth,
	};
}

/* The largest share of nodes of a worth. */
static uint64_t key_share(const struct index_key *key, uint32_t worth)
{
	return key->worth - worth < WORTH_STEPS ? key->shares[key->worth - worth] : 0;
}

#define WHOLE_SHARE (UINT64_C(1) << 31) /* all cores are free */

/* The largest share of nodes of a worth, in a page. None behind a whole share is larger, as its position is higher. */
static uint64_t best_share(const void *page, unsigned level, uint32_t items, uint32_t worth)
{
	const struct index_entry *entries = ((const struct entry_page *)page)->entries;
	const struct index_key *keys = ((const struct key_page *)page)->keys;
	uint64_t best = 0;

	for (uint32_t i = 0; i < items && best >> POSITION_BITS < WHOLE_SHARE; i++) {
		uint64_t share = level > 0 ? key_share(&keys[i], worth) : entries[i].key.worth == worth ? entries[i].key.share : 0;

		best = share > best ? share : best;
	}
	return best;
}

/* The first item of a page with the best spread, which is no better than most. */
static uint32_t best_spread(const void *page, unsigned level, uint32_t items, uint64_t most)
{
	const struct index_entry *entries = ((const struct entry_page *)page)->entries;
	const struct index_key *keys = ((const struct key_page *)page)->keys;
	uint64_t best = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < items && best < most; i++) {
		uint64_t spread = level > 0 ? keys[i].spread : entries[i].key.spread;

		if (spread > best) {
			at = i;
			best = spread;
		}
	}
	return at;
}

/*
 * What page_sum() returns after one item of the page has changed; *sum is what it returned before, and *was that item's
 * key. All items are looked at only for what the item was the best in, and is no more: a claim changes one share and one
 * spread on each level. What cannot be told so, because the best worth changes or trials are to come, is summed up anew.
 */
static struct index_key page_sum_again(const struct index_key *sum, const struct index_key *was, const void *page,
				       unsigned level, uint32_t item, uint32_t items)
{
	uint32_t first = item - item % FANOUT;
	struct index_key now = item_key(page, level, first, item % FANOUT), best = *sum;

	if (now.worth > sum->worth || now.retry_usec != UINT64_MAX || sum->retry_usec != UINT64_MAX)
		return page_sum(page, level, first, items);
	for (uint32_t i = 0; i < WORTH_STEPS; i++) {
		uint64_t share = key_share(&now, sum->worth - i);

		if (share >= sum->shares[i])
			best.shares[i] = share;
		else if (sum->shares[i] == key_share(was, sum->worth - i))
			best.shares[i] = best_share(page, level, items, sum->worth - i);
	}
	if (best.shares[0] == 0)
		return page_sum(page, level, first, items); /* no node of the best worth is left */
	if (now.spread < sum->spread || (now.spread == sum->spread && now.spread_at > sum->spread_at)) {
		if (was->spread != sum->spread || was->spread_at != sum->spread_at)
			return best;
		now = item_key(page, level, first, best_spread(page, level, items, sum->spread));
	}
	best.spread = now.spread;
	best.spread_at = now.spread_at;
	return best;
}

int index_read_page(struct store *store, const struct farm *farm, uint32_t page,
		    struct index_entry ret[static INDEX_PAGE_ENTRIES])
{
	int r;

	if (page * FANOUT >= farm->n_nodes)
		return -EUCLEAN;
	r = store_read(store, STORE_INDEX, 0, page, ret, sizeof(struct entry_page));
	return r < 0 ? r : (int)page_items(farm->n_nodes, page * FANOUT);
}

int index_has(struct store *store, const struct farm *farm, uint32_t id)
{
	struct index_entry entries[INDEX_PAGE_ENTRIES];
	int n = 0;

	for (uint32_t page = 0; n >= 0 && page * FANOUT < farm->n_nodes; page++) {
		n = index_read_page(store, farm, page, entries);
		for (int i = 0; i < n; i++)
			if (entries[i].id == id)
				return 1;
	}
	return n < 0 ? n : 0;
}

int index_get(struct store *store, const struct farm *farm, uint32_t position, struct index_entry **ret)
{
	void *page;
	int r;

	if (position >= farm->n_nodes)
		return -EUCLEAN;
	r = page_get(store, 0, position / FANOUT, &page);
	if (r < 0)
		return r;
	*ret = &((struct entry_page *)page)->entries[position % FANOUT];
	return 0;
}

/* After the entry at a position was changed, writes the entry and all keys above. all: other entries have changed, too. */
static int update(struct store *store, struct farm *farm, uint32_t position, bool all)
{
	unsigned top = top_level(farm->n_nodes);
	uint32_t item = position;
	struct index_entry *entry;
	struct index_key was;
	void *page;
	int r = index_get(store, farm, position, &entry);

	if (r < 0)
		return r;
	page = entry - position % FANOUT;
	was = item_key(page, 0, position - position % FANOUT, position % FANOUT);
	make_key(entry, position);
	store_touch(store, entry, sizeof(*entry));

	for (unsigned level = 0;; level++) {
		uint32_t items = page_items(level_size(farm->n_nodes, level), item), first = item - item % FANOUT;
		struct index_key *sum = &farm->root, before;
		void *above = NULL;

		if (level < top) {
			r = page_get(store, level + 1, first / FANOUT / FANOUT, &above);
			if (r < 0)
				return r;
			sum = page_key(above, first / FANOUT % FANOUT);
		}
		before = *sum;
		*sum = all ? page_sum(page, level, first, items) : page_sum_again(sum, &was, page, level, item, items);
		if (memcmp(sum, &before, sizeof(before)) == 0)
			return 0; /* nor does anything change above */
		store_touch(store, sum, sizeof(*sum));
		if (level == top)
			return 0;
		was = before;
		page = above;
		item /= FANOUT;
	}
}

int index_update(struct store *store, struct farm *farm, uint32_t position)
{
	return update(store, farm, position, false);
}

struct wanted {
	enum { FREE_PRIMARY, FREE_BACKUP, DUE } what;
	uint64_t now_usec;
};

/*
 * Whether something wanted is at or below an item of a page. The largest worth
 * has the primary bit if any node below has it. A backup is wanted only when no
 * primary is free, so "any free" is enough to find a backup.
 */
static bool page_has(const void *page, unsigned level, uint32_t i, const struct wanted *wanted)
{
	const struct index_leaf *leaf = &((const struct entry_page *)page)->entries[i].key;
	const struct index_key *key = &((const struct key_page *)page)->keys[i];
	uint32_t worth = level == 0 ? leaf->worth : key->worth;

	switch (wanted->what) {
	case FREE_PRIMARY:
		return worth & WORTH_PRIMARY;
	case FREE_BACKUP:
		return worth != 0;
	default:
		return (level == 0 ? leaf->retry_usec : key->retry_usec) <= wanted->now_usec;
	}
}

/* Goes up from the page of from until a page has something wanted behind, then down to the first such entry. */
static int find(struct store *store, const struct farm *farm, uint32_t from, const struct wanted *wanted, uint32_t *ret)
{
	unsigned top = top_level(farm->n_nodes), level = 0;
	uint32_t item = from;
	bool down = false;

	while (farm->n_nodes > 0) {
		uint32_t size = level_size(farm->n_nodes, level), i = item % FANOUT, items;
		void *page;
		int r;

		if (item < size) {
			r = page_get(store, level, item / FANOUT, &page);
			if (r < 0)
				return r;
			items = page_items(size, item);
			while (i < items && !page_has(page, level, i, wanted))
				i++;
			if (i < items) {
				item = item / FANOUT * FANOUT + i;
				if (level == 0) {
					*ret = item;
					return 0;
				}
				item *= FANOUT;
				level--;
				down = true;
				continue;
			}
			if (down)
				return -EUCLEAN; /* the key above says that the page has such an item */
		}
		if (level == top)
			break;
		item = item / FANOUT + 1;
		level++;
	}
	return 1;
}

int index_first_free(struct store *store, const struct farm *farm, uint32_t from, bool primary, uint32_t *ret)
{
	return find(store, farm, from, &(struct wanted){ .what = primary ? FREE_PRIMARY : FREE_BACKUP }, ret);
}

int index_first_due(struct store *store, const struct farm *farm, uint64_t now_usec, uint32_t *ret)
{
	if (farm->root.retry_usec > now_usec)
		return 1;
	return find(store, farm, 0, &(struct wanted){ .what = DUE, .now_usec = now_usec }, ret);
}

/* Writes one level from keys (level 0: from entries) and sums up its pages into above. */
static int build_level(struct store *store, unsigned level, struct index_entry *entries,
		       const struct index_key *keys, uint32_t n, struct index_key *above)
{
	for (uint32_t first = 0; first < n; first += FANOUT) {
		uint32_t items = page_items(n, first);
		union page page;
		int r;

		(void)memset(&page, 0, sizeof(page));
		if (level == 0)
			(void)memcpy(&page.entries, entries + first, items * sizeof(*entries));
		else
			(void)memcpy(&page.keys, keys + first, items * sizeof(*keys));
		above[first / FANOUT] = page_sum(&page, level, first, items);
		r = store_put(store, STORE_INDEX, level, first / FANOUT, &page, page_size(level));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Removes the pages that an index of before nodes has and an index of now nodes has not. */
static int shrink(struct store *store, uint32_t before, uint32_t now)
{
	for (unsigned level = 0; before > 0; level++) {
		uint32_t had = (level_size(before, level) + FANOUT - 1) / FANOUT;
		uint32_t has = now == 0 || level > top_level(now) ? 0 : (level_size(now, level) + FANOUT - 1) / FANOUT;

		for (uint32_t page = has; page < had; page++) {
			int r = store_delete(store, STORE_INDEX, level, page);

			if (r < 0)
				return r;
		}
		if (had <= 1)
			break;
	}
	return 0;
}

int index_build(struct store *store, struct farm *farm, struct index_entry *entries, uint32_t n)
{
	size_t room = n / FANOUT + 1;
	struct index_key *below = NULL, *above;
	unsigned level = 0;
	int r = shrink(store, farm->n_nodes, n);

	if (r < 0)
		return r;
	farm->n_nodes = n;
	farm->layout++;
	farm->primaries_up = farm->nodes_up = farm->busy = 0;
	farm->root = nothing;
	for (uint32_t i = 0; i < n; i++) {
		make_key(&entries[i], i);
		farm->busy += entries[i].busy;
		farm->primaries_up += index_is_primary_up(entries[i].flags);
		farm->nodes_up += index_is_up(entries[i].flags);
	}
	if (n == 0)
		return 0;

	above = reallocarray(NULL, 2 * room, sizeof(*above));
	if (!above)
		return -ENOMEM;
	for (struct index_key *const half = above + room;; level++) {
		r = build_level(store, level, entries, below, n, above);
		if (r < 0 || n <= FANOUT)
			break;
		n = (n + FANOUT - 1) / FANOUT;
		below = above;
		above = above == half ? half - room : half;
	}
	if (r == 0)
		farm->root = above[0];
	free(below && below < above ? below : above);
	return r;
}

/* Empties what stands in a page behind its items. */
static void page_tidy(union page *page, unsigned level, uint32_t items)
{
	if (level == 0)
		(void)memset(page->entries.entries + items, 0, (FANOUT - items) * sizeof(*page->entries.entries));
	else
		(void)memset(page->keys.keys + items, 0, (FANOUT - items) * sizeof(*page->keys.keys));
}

/*
 * Writes the last page of each level of an index that has farm->n_nodes entries now, and had before so many. added: the
 * last entry, which is new; or NULL.
 */
static int put_edge(struct store *store, struct farm *farm, uint32_t before, const struct index_entry *added)
{
	const struct index_key root = farm->root;
	uint32_t n = farm->n_nodes, item = n - 1;
	unsigned top = top_level(n);
	struct index_key best = nothing;

	for (unsigned level = 0; level <= top; level++, item /= FANOUT) {
		bool had_level = before > 0 && level <= top_level(before);
		uint32_t items = page_items(level_size(n, level), item);
		union page page;
		int r = 0;

		(void)memset(&page, 0, sizeof(page));
		if (had_level && level_size(before, level) > item / FANOUT * FANOUT)
			r = store_read(store, STORE_INDEX, level, item / FANOUT, &page, page_size(level));
		else if (!had_level && before > 0)
			page.keys.keys[0] = root; /* the former top is the first page below the new one */
		if (r < 0)
			return r;
		if (level > 0)
			page.keys.keys[item % FANOUT] = best;
		else if (added)
			page.entries.entries[item % FANOUT] = *added;
		page_tidy(&page, level, items);
		best = page_sum(&page, level, item / FANOUT * FANOUT, items);
		r = store_put(store, STORE_INDEX, level, item / FANOUT, &page, page_size(level));
		if (r < 0)
			return r;
	}
	farm->root = best;
	return 0;
}

int index_append(struct store *store, struct farm *farm, struct index_entry *entry)
{
	make_key(entry, farm->n_nodes++);
	farm->busy += entry->busy;
	farm->primaries_up += index_is_primary_up(entry->flags);
	farm->nodes_up += index_is_up(entry->flags);
	return put_edge(store, farm, farm->n_nodes - 1, entry);
}

int index_drop(struct store *store, struct farm *farm)
{
	int r = shrink(store, farm->n_nodes, farm->n_nodes - 1);

	if (r < 0)
		return r;
	farm->n_nodes--;
	farm->root = nothing;
	return farm->n_nodes > 0 ? put_edge(store, farm, farm->n_nodes, NULL) : 0;
}

int index_swap(struct store *store, struct farm *farm, uint32_t p, uint32_t q)
{
	struct index_entry *a, *b, entry;
	int r = index_get(store, farm, p, &a) ?: index_get(store, farm, q, &b);

	if (r < 0)
		return r;
	entry = *a;
	*a = *b;
	*b = entry;
	r = update(store, farm, p, true);
	return r < 0 ? r : update(store, farm, q, true);
}
