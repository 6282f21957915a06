/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "passed.h"

#include <string.h>

int passed_format(struct store *store)
{
	const struct passed none = { 0 };

	return store_put(store, STORE_PASSED, 0, 0, &none, sizeof(none));
}

/* The record, whatever its contents; NULL if there is none. */
static struct passed *get(struct store *store)
{
	struct passed *record;

	return STORE_FIND(store, STORE_PASSED, 0, 0, &record) == 0 ? record : NULL;
}

const struct passed *passed_get(struct store *store)
{
	const struct passed *passed = get(store);

	return passed && passed->number > 0 ? passed : NULL;
}

void passed_forget(struct store *store)
{
	struct passed *passed = get(store);

	if (!passed || passed->number == 0)
		return;
	(void)memset(passed, 0, sizeof(*passed));
	store_touch(store, passed, sizeof(*passed));
}

bool passed_add(struct store *store, uint32_t number, const struct cell *cell, uint32_t hash)
{
	struct passed *passed = get(store);
	uint32_t bit = hash % PASSED_BITS;

	if (!passed)
		return false;
	if (passed->number > 0 && passed->limit != cell->per_client) {
		passed_forget(store);
		return false;
	}
	passed->number = cell->number;
	passed->cell = number;
	passed->limit = cell->per_client;
	passed->clients[bit / 64] |= UINT64_C(1) << bit % 64;
	store_touch(store, passed, sizeof(*passed));
	return true;
}

bool passed_may_have(struct store *store, uint32_t hash)
{
	const struct passed *passed = passed_get(store);
	uint32_t bit = hash % PASSED_BITS;

	return passed && passed->clients[bit / 64] & UINT64_C(1) << bit % 64;
}
