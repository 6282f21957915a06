/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "split.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "system/number.h"

int split_parse(const char *text, struct split *ret)
{
	uint64_t part, parts;

	*ret = (struct split){ .parts = 0 };
	if (strcmp(text, "none") == 0)
		return 0;
	if (strcmp(text, "leased") == 0) {
		ret->parts = SPLIT_LEASED;
		return 0;
	}
	if (number_take(&text, SPLIT_PARTS_MAX, &part) < 0 || *text++ != '/' ||
	    number_parse(text, 1, SPLIT_PARTS_MAX, &parts) < 0 || part < 1 || part > parts)
		return -EINVAL;
	*ret = (struct split){ .part = (uint32_t)part, .parts = (uint32_t)parts };
	return 0;
}

bool split_is_leased(const struct split *split)
{
	return split->parts == SPLIT_LEASED;
}

const char *split_format(const struct split *split, char ret[static SPLIT_TEXT_MAX])
{
	if (split->part > 0)
		(void)snprintf(ret, SPLIT_TEXT_MAX, "%" PRIu32 "/%" PRIu32, split->part, split->parts);
	else
		(void)strcpy(ret, split_is_leased(split) ? "leased" : split->parts > 0 ? "unknown" : "none");
	return ret;
}

/* The sum of the bytes: names that count up, as those of most farms do, begin with one gateway after the other. */
static uint32_t first_part(const char *name, uint32_t parts)
{
	uint32_t sum = 0;

	for (; *name; name++)
		sum += (unsigned char)*name;
	return sum % parts;
}

uint32_t split_share(const struct split *split, const char *name, uint32_t cores)
{
	uint32_t parts = split->parts, turn;

	if (parts == 0)
		return SHARE_NONE;
	if (split->part == 0)
		return 0;
	turn = (split->part - 1 + parts - first_part(name, parts)) % parts;
	return cores / parts + (turn < cores % parts);
}

uint32_t share_of(uint32_t share, uint32_t cores)
{
	return share < cores ? share : cores;
}
