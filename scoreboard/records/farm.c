/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "farm.h"

#include <errno.h>

#include "memory.h"
#include "party.h"
#include "queue.h"
#include "system/timespan.h"

int farm_check(const struct farm *farm)
{
	return farm->n_nodes > NODES_MAX || farm->cells > QUEUE_CELLS_MAX || farm->cells % CELLS_PER_PAGE != 0 ||
	       farm->cells == 0 || farm->queue_length > farm->cells || farm->next_id == 0 ||
	       farm->next_ticket == 0 || farm->incomplete > 1 ||
	       farm->clients > MEMORY_CLIENTS_MAX || farm->parties > PARTIES_MAX ||
	       farm->parties % PARTIES_PER_PAGE != 0 || farm->fair > (farm->parties > 0) ||
	       farm->split.parts > SPLIT_PARTS_MAX || farm->split.part > farm->split.parts ?
	       -EUCLEAN : 0;
}

bool farm_is_lapsed(const struct farm *farm)
{
	return farm->lease_usec != 0 && now_boottime() >= farm->lease_usec;
}

struct split farm_split(const struct farm *farm)
{
	const struct split leased = { .parts = SPLIT_LEASED };

	return farm->lease_usec != 0 ? leased : farm->split;
}

uint32_t farm_share(const struct farm *farm, const char *name, uint32_t cores)
{
	/* With a lease, other gateways may have all of the node's cores. */
	return farm->lease_usec != 0 ? 0 : split_share(&farm->split, name, cores);
}
