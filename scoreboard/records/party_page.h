/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* party_page.h: a page of parts of parties, the record "party/0/PAGE" (party.h), and where a party's parts are in it. */

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"
#include "party.h"
#include "queue.h"

#define PARTY_PARTS_MAX 15u /* of a party */

struct party_page {
	struct party parties[PARTIES_PER_PAGE];
};

/* What is in a place without a part. */
extern const struct party party_unused;

/* How many pages the parts of a farm have. */
uint32_t party_pages(const struct farm *farm);

/* The number of the page of a party's parts. The farm's seed keeps strangers from choosing addresses that fill a page. */
uint32_t party_page_of(const struct farm *farm, const char *name);

/* Whether a place has a part: of a party that holds a slot, or with a ticket that waits. */
bool party_is_used(const struct party *part);

/* How many slots the client of a ticket may have; 0: any number, as clients without an address. */
uint32_t party_limit_of(const struct cell *cell);

/* The first part, at or behind the place *at, of the party of that name; *at is then set behind it. NULL: there is none. */
struct party *party_next_part(struct party_page *page, const char *name, uint32_t *at);

/* The first part of the party of that name, or NULL. */
struct party *party_first_part(struct party_page *page, const char *name);

/* A place without a part, or NULL: the page is full. */
struct party *party_find_unused(struct party_page *page);
