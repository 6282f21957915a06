/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-index.c: changes of single nodes, and what the index then says.
 *
 *     cbtest-index NODES CHANGES SEED
 *
 * makes an index of so many nodes in memory and changes nodes at random, as
 * claims, releases, probes and administrators do. After each change all keys must be
 * those of an index that is made anew from the entries.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list/nodelist.h"
#include "records/farm.h"
#include "records/index.h"
#include "store/store.h"

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)rand() % n;
}

static void fail(const char *what, unsigned change)
{
	(void)fprintf(stderr, "cbtest-index: change %u: %s\n", change, what);
	exit(1);
}

static struct farm *farm_get(struct store *store)
{
	void *farm;

	if (store_get(store, STORE_FARM, 0, 0, sizeof(struct farm), &farm) != 0)
		fail("no farm", 0);
	return farm;
}

static void entry_change(struct index_entry *entry)
{
	static const uint32_t flags[] = { ENTRY_HELD, ENTRY_BACKUP, ENTRY_UP, ENTRY_TRIAL_OPEN, ENTRY_AGENT };

	switch (random_below(16)) {
	case 0:
		entry->flags ^= flags[random_below(5)];
		break;
	case 1:
		index_set_speed(entry, 500 + 100 * random_below(10), 1000 - 300 * random_below(2));
		break;
	case 2:
		entry->key.retry_usec = random_below(2) ? UINT64_MAX : random_below(1000);
		break;
	default:
		if (random_below(2) && entry->busy < entry->limit)
			entry->busy++;
		else if (entry->busy > 0)
			entry->busy--;
	}
}

static void changed(enum store_kind kind, uint32_t a, uint32_t b, void *arg)
{
	(void)kind;
	(void)a;
	(void)b;
	*(bool *)arg = true;
}

/* Compares the index with one that is made anew, which replaces it. */
static void compare(struct store *store, struct index_entry *entries, unsigned change)
{
	struct farm anew = *farm_get(store);
	const struct index_key root = anew.root;
	bool differs = false;

	store_watch(store, changed, &differs);
	if (index_build(store, &anew, entries, anew.n_nodes) < 0)
		fail("cannot be made anew", change);
	store_watch(store, NULL, NULL);
	if (differs)
		fail("a page is summed up wrongly", change);
	if (memcmp(&root, &anew.root, sizeof(root)) != 0)
		fail("the root is summed up wrongly", change);
}

int main(int argc, char **argv)
{
	uint32_t nodes = argc == 4 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	unsigned changes = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	struct index_entry *entries, *entry;
	struct farm farm = { .n_nodes = 0 };
	struct store *store;

	if (nodes == 0 || store_create_in_memory(&store) < 0)
		return 64;
	srand((unsigned)strtoul(argv[3], NULL, 10));
	entries = calloc(nodes, sizeof(*entries));
	if (!entries)
		return 71;
	for (uint32_t i = 0; i < nodes; i++) {
		entries[i] = (struct index_entry){ .id = i + 1, .flags = ENTRY_UP, .cores = 1 + random_below(8) };
		entries[i].limit = entries[i].cores;
		entries[i].key.retry_usec = UINT64_MAX;
		index_set_speed(&entries[i], 1000, 1000);
	}
	if (index_build(store, &farm, entries, nodes) < 0 || store_put(store, STORE_FARM, 0, 0, &farm, sizeof(farm)) < 0)
		return 71;
	for (unsigned change = 1; change <= changes; change++) {
		uint32_t at = random_below(4) ? random_below(nodes) : index_fastest(&farm_get(store)->root) % nodes;

		if (index_get(store, farm_get(store), at, &entry) < 0)
			fail("no entry", change);
		entry_change(entry);
		if (index_update(store, farm_get(store), at) < 0)
			fail("not updated", change);
		entries[at] = *entry;
		if (store_flush(store) < 0)
			fail("not written", change);
		compare(store, entries, change);
		if (store_flush(store) < 0)
			fail("not written", change);
	}
	free(entries);
	(void)store_close(store);
	(void)printf("%u changes of %u nodes\n", changes, nodes);
	return 0;
}
