/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "party_page.h"

#include <string.h>

#include "client.h"
#include "ring.h"

const struct party party_unused = { .first = NONE, .last = NONE };

uint32_t party_pages(const struct farm *farm)
{
	return farm->parties / PARTIES_PER_PAGE;
}

uint32_t party_page_of(const struct farm *farm, const char *name)
{
	uint32_t pages = party_pages(farm);

	return pages > 1 ? (uint32_t)(ring_mix(ring_hash(name, strlen(name)), farm->party_seed) % pages) : 0;
}

bool party_is_used(const struct party *part)
{
	return part->held > 0 || part->first != NONE;
}

uint32_t party_limit_of(const struct cell *cell)
{
	return client_is_same(cell->client, cell->client) ? cell->per_client : 0;
}

struct party *party_next_part(struct party_page *page, const char *name, uint32_t *at)
{
	while (*at < PARTIES_PER_PAGE) {
		struct party *part = &page->parties[(*at)++];

		if (party_is_used(part) && strncmp(part->name, name, SCORE_CLIENT_MAX) == 0)
			return part;
	}
	return NULL;
}

struct party *party_first_part(struct party_page *page, const char *name)
{
	uint32_t at = 0;

	return party_next_part(page, name, &at);
}

struct party *party_find_unused(struct party_page *page)
{
	for (uint32_t i = 0; i < PARTIES_PER_PAGE; i++)
		if (!party_is_used(&page->parties[i]))
			return &page->parties[i];
	return NULL;
}
