/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "slot.h"

#include <errno.h>
#include <string.h>

#include "farm.h"
#include "store/store.h"
#include "system/timespan.h"

uint32_t slot_pages(uint32_t cores)
{
	return (cores + SLOTS_PER_PAGE - 1) / SLOTS_PER_PAGE;
}

int slot_get_any(struct store *store, uint32_t node, uint32_t number, struct slot **ret)
{
	struct slot_page *page;
	int r = STORE_GET(store, STORE_SLOTS, node, number / SLOTS_PER_PAGE, &page);

	if (r < 0)
		return r;
	*ret = &page->slots[number % SLOTS_PER_PAGE];
	(*ret)->client[SCORE_CLIENT_MAX] = '\0';
	return 0;
}

/* A free slot holds exactly what slot_push() writes. Zeros in all or a part of it are damage: a zeroed page must not
 * read as eight free slots. */
static bool is_empty(const struct slot *slot)
{
	static const struct slot zeros;
	struct slot rest = *slot;

	rest.next_free = rest.cell = 0;
	return slot->cell == NONE && memcmp(&rest, &zeros, sizeof(rest)) == 0;
}

bool slot_is_sane(const struct slot *slot)
{
	if (slot->ticket > TICKET_MAX || slot->holder.pid > INT32_MAX)
		return false;
	switch (slot->state) {
	case SLOT_FREE:
		return is_empty(slot);
	case SLOT_GRANTED:
		return slot->holder.pid != 0 && slot->ticket != 0 && slot->cell != NONE && slot->trial <= 1;
	case SLOT_BUSY:
		return slot->holder.pid != 0 && slot->ticket != 0 && slot->cell == NONE && slot->trial <= 1;
	case SLOT_LOST:
		return slot->holder.pid == 0 && slot->ticket == 0 && slot->cell == NONE;
	default:
		return false;
	}
}

int slot_get(struct store *store, uint32_t node, uint32_t number, struct slot **ret)
{
	int r = slot_get_any(store, node, number, ret);

	return r < 0 ? r : slot_is_sane(*ret) ? 0 : -EUCLEAN;
}

void slot_lose(struct slot *slot)
{
	(void)memset(slot, 0, sizeof(*slot));
	slot->state = SLOT_LOST;
	slot->since_usec = now_boottime();
	slot->cell = slot->next_free = NONE;
	(void)strcpy(slot->client, "unknown");
}

int slot_pop(struct store *store, struct index_entry *entry, struct slot **ret, uint32_t *ret_number)
{
	uint32_t number = entry->free_slot;
	int r;

	if (number >= entry->cores)
		return -EUCLEAN;
	r = slot_get(store, entry->id, number, ret);
	if (r < 0)
		return r;
	if ((*ret)->state != SLOT_FREE)
		return -EUCLEAN;
	entry->free_slot = (*ret)->next_free;
	*ret_number = number;
	return 0;
}

void slot_clear(struct slot *slot)
{
	(void)memset(slot, 0, sizeof(*slot));
	slot->cell = slot->next_free = NONE;
}

void slot_push(struct store *store, struct index_entry *entry, struct slot *slot, uint32_t number)
{
	slot_clear(slot);
	if (number < entry->cores) {
		slot->next_free = entry->free_slot;
		entry->free_slot = number;
	}
	store_touch(store, slot, sizeof(*slot));
}

static int pages_make(struct store *store, uint32_t node, uint32_t from, uint32_t to)
{
	struct slot_page empty;
	int r = 0;

	for (uint32_t i = 0; i < SLOTS_PER_PAGE; i++)
		slot_clear(&empty.slots[i]);
	for (uint32_t page = from; r == 0 && page < to; page++)
		r = store_put(store, STORE_SLOTS, node, page, &empty, sizeof(empty));
	return r;
}

/* Whether a page that the node no longer needs is still in use. */
static int page_in_use(struct store *store, uint32_t node, uint32_t page)
{
	for (uint32_t i = 0; i < SLOTS_PER_PAGE; i++) {
		struct slot *slot;
		int r = slot_get(store, node, page * SLOTS_PER_PAGE + i, &slot);

		if (r < 0)
			return r;
		if (slot->state != SLOT_FREE)
			return 1;
	}
	return 0;
}

int slot_resize(struct store *store, uint32_t node, uint32_t had, uint32_t cores,
		uint32_t *ret_first, uint32_t *ret_pages)
{
	uint32_t need = slot_pages(cores), first = NONE;
	int r = pages_make(store, node, had, need);

	if (r < 0)
		return r;
	while (had > need) {
		r = page_in_use(store, node, had - 1);
		if (r < 0)
			return r;
		if (r > 0)
			break;
		r = store_delete(store, STORE_SLOTS, node, --had);
		if (r < 0)
			return r;
	}
	/* From the last to the first, so that the list begins with slot 0. */
	for (uint32_t number = cores; number-- > 0;) {
		struct slot *slot;

		r = slot_get(store, node, number, &slot);
		if (r < 0)
			return r;
		if (slot->state == SLOT_FREE) {
			slot->next_free = first;
			first = number;
			store_touch(store, slot, sizeof(*slot));
		}
		if (number % SLOTS_PER_PAGE == 0) {
			r = store_flush(store);
			if (r < 0)
				return r;
		}
	}
	*ret_first = first;
	*ret_pages = had > need ? had : need;
	return 0;
}

int slot_delete(struct store *store, uint32_t node, uint32_t pages)
{
	int r = 0;

	while (r == 0 && pages > 0)
		r = store_delete(store, STORE_SLOTS, node, --pages);
	return r;
}
