/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * per_client.c: slots are counted when a section asks. So a farm without a limit for
 * clients has nothing to keep in step, and a process that is killed leaves nothing
 * wrong.
 */

#include "per_client.h"

#include <errno.h>
#include <string.h>

#include "records/client.h"
#include "records/index.h"
#include "records/slot.h"
#include "store/store.h"

static bool is_known(const struct clients_full *known, const char *client, uint32_t limit)
{
	for (unsigned i = 0; known && i < known->n; i++)
		if (limit <= known->limits[i] && client_is_same(known->names[i], client))
			return true;
	return false;
}

static void note(struct clients_full *known, const char *client, uint32_t limit)
{
	if (!known || known->n == CLIENTS_FULL_MAX)
		return;
	known->limits[known->n] = limit;
	(void)snprintf(known->names[known->n++], SCORE_CLIENT_MAX + 1, "%s", client);
}

/* Counts the client's slots of a node into *ret, up to limit. 0 or -errno. */
static int count_of_node(struct score *s, const struct index_entry *entry, const char *client, uint32_t limit,
			 uint64_t ticket, uint32_t *ret)
{
	uint32_t left = entry->busy;

	for (uint32_t page = 0; left > 0 && *ret < limit; page++) {
		struct slot_page slots;
		int r = store_read(s->store, STORE_SLOTS, entry->id, page, &slots, sizeof(slots));

		if (r < 0)
			return r; /* -EUCLEAN: fewer are taken than the node's entry says */
		for (uint32_t i = 0; i < SLOTS_PER_PAGE; i++) {
			struct slot *slot = &slots.slots[i];

			if (slot->state == SLOT_FREE)
				continue;
			left -= left > 0;
			slot->client[SCORE_CLIENT_MAX] = '\0';
			*ret += slot->state != SLOT_LOST && slot->ticket != ticket && client_is_same(slot->client, client);
		}
	}
	return 0;
}

int client_is_full(struct score *s, const struct farm *farm, const char *client, uint32_t limit, uint64_t ticket,
		   struct clients_full *known)
{
	struct index_entry entries[INDEX_PAGE_ENTRIES];
	uint32_t n = 0, left = farm->busy;
	int r = 0, n_entries;

	if (limit == 0 || !client_is_same(client, client))
		return 0;
	if (is_known(known, client, limit))
		return 1;
	for (uint32_t page = 0; r == 0 && left > 0 && n < limit && page * INDEX_PAGE_ENTRIES < farm->n_nodes; page++) {
		n_entries = index_read_page(s->store, farm, page, entries);
		if (n_entries < 0)
			return n_entries;
		for (int i = 0; r == 0 && n < limit && i < n_entries; i++) {
			left -= left < entries[i].busy ? left : entries[i].busy;
			r = count_of_node(s, &entries[i], client, limit, ticket, &n);
		}
	}
	if (r == 0 && n >= limit)
		note(known, client, limit);
	return r < 0 ? r : n >= limit;
}
