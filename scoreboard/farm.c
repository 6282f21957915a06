/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "farm.h"

#include <errno.h>

#include "lost.h"
#include "queue.h"
#include "store.h"

int farm_check(const struct farm *farm)
{
	return farm->n_nodes > NODES_MAX || farm->cells > QUEUE_CELLS_MAX || farm->cells % CELLS_PER_PAGE != 0 ||
	       farm->cells == 0 || farm->queue_length > farm->cells || farm->next_id == 0 ||
	       farm->next_ticket == 0 || farm->incomplete > 1 ?
	       -EUCLEAN : 0;
}

int farm_enter(struct score *s, struct farm **ret)
{
	void *farm;
	int r = store_lock(s->store);

	if (r < 0)
		return r;
	r = store_get(s->store, STORE_FARM, 0, 0, sizeof(**ret), &farm, NULL);
	if (r == 0)
		r = farm_check(farm);
	if (r == 0)
		*ret = farm;
	if (r == 0 && (*ret)->lost > 0 && !s->is_draft)
		r = lost_settle(s, *ret);
	if (r < 0) {
		store_unlock(s->store);
		return r == -ENOENT ? -EUCLEAN : r;
	}
	return 0;
}

void farm_leave(struct score *s)
{
	store_unlock(s->store);
	wake_list_send(&s->wakes, &s->port);
}
