/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "section.h"

#include "claim.h"

int section_enter(struct score *s, uint32_t id, struct section *ret)
{
	int r = farm_enter(s, &ret->farm);

	if (r < 0)
		return r;
	r = claim_get_node(s, ret->farm, id, &ret->record, &ret->entry);
	if (r < 0)
		farm_leave(s);
	return r;
}
