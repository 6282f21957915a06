/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "section.h"

#include <errno.h>

#include "store/store.h"

int farm_enter_untold(struct score *s, struct farm **ret)
{
	int r = store_lock(s->store);

	if (r < 0)
		return r;
	r = STORE_GET(s->store, STORE_FARM, 0, 0, ret) ?: farm_check(*ret);
	if (r < 0) {
		store_unlock(s->store);
		return r;
	}
	s->verbosity = (*ret)->verbosity;
	s->is_fair = (*ret)->fair;
	return 0;
}

int farm_enter(struct score *s, struct farm **ret)
{
	int r = farm_enter_untold(s, ret);

	if (r == 0 && (*ret)->lost > 0 && !s->is_draft && s->told != (*ret)->lost_round) {
		store_unlock(s->store);
		r = -EAGAIN;
	}
	return r;
}

void farm_leave(struct score *s)
{
	store_unlock(s->store);
	wake_list_send(&s->wakes, &s->port);
}

int farm_begin(struct score *s, struct farm *ret)
{
	int r = store_begin(s->store);

	if (r < 0)
		return r;
	r = store_read(s->store, STORE_FARM, 0, 0, ret, sizeof(*ret)) ?: farm_check(ret);
	if (r < 0)
		store_cancel(s->store);
	return r;
}

int farm_end(struct score *s, const struct farm *farm, int r)
{
	if (r == 0 && farm)
		r = store_put(s->store, STORE_FARM, 0, 0, farm, sizeof(*farm));
	if (r == 0)
		return store_end(s->store);
	store_cancel(s->store);
	return r;
}

int section_enter(struct score *s, uint32_t id, struct section *ret)
{
	int r = farm_enter(s, &ret->farm);

	if (r < 0)
		return r;
	r = node_find_entry(s->store, ret->farm, id, &ret->record, &ret->entry);
	if (r < 0)
		farm_leave(s);
	return r;
}
