/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * share.c: what this gateway may use of nodes that several gateways share. The
 * shares follow from a split (split.h) that administrators tell each gateway, or a
 * program sets them node by node, and says until when they are this gateway's.
 *
 * A share that falls below the node's connections ends none of them: the node gets
 * no other until so many have ended.
 */

#include <errno.h>

#include "attempt.h"
#include "claim.h"
#include "records/patience.h"
#include "store/store.h"
#include "system/timespan.h"
#include "walk.h"

/* ---- a split ---- */

static bool has_split(const struct farm *farm, const struct split *split)
{
	return farm->split.part == split->part && farm->split.parts == split->parts && farm->lease_usec == 0 &&
	       farm->unsplit_usec == 0;
}

/* Notes the split. 0; 1: nodes have these shares already; -EBUSY: the farm has a lease that is not over, or that end_lease
 * does not let this call end; or -errno. *ret_usec says which change of the split this is. */
static int begin_split(struct score *s, const struct split *split, bool end_lease, uint64_t *ret_usec)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	*ret_usec = now_boottime();
	if (farm->lease_usec > *ret_usec || (farm->lease_usec > 0 && !end_lease)) {
		r = -EBUSY;
	} else if (has_split(farm, split)) {
		r = 1;
	} else {
		farm->split = *split;
		farm->lease_usec = 0;
		farm->unsplit_usec = *ret_usec;
		store_touch(s->store, farm, sizeof(*farm));
		r = store_commit(s->store);
	}
	farm_leave(s);
	return r;
}

/* Stages a node's share. 0 or -errno. */
static int set_share(struct score *s, struct farm *farm, struct node_record *record, struct index_entry *entry, uint32_t share)
{
	struct index_entry before = *entry;

	if (record->share == share)
		return 0;
	record->share = share;
	entry->limit = node_limit(record);
	patience_changed(s->store, &before, entry);
	store_touch(s->store, &record->share, sizeof(record->share));
	return index_update(s->store, farm, record->position);
}

/* Gives a node the share that follows from the farm's split: another process may have changed the split since. */
static int divide(struct score *s, struct farm *farm, struct index_entry *entry, void *arg)
{
	struct node_record *record;
	int r = node_get(s->store, entry->id, &record);

	(void)arg;
	if (r == 0)
		r = set_share(s, farm, record, entry,
			      split_share(&farm->split, record->config.name, record->config.cores));
	return r ?: store_commit(s->store);
}

/* All nodes have the shares of the split, unless it has changed again. Waiters get slots that have appeared. */
static int end_split(struct score *s, uint64_t usec)
{
	struct farm *farm;
	int r = farm_enter(s, &farm);

	if (r < 0)
		return r;
	if (farm->unsplit_usec == usec) {
		farm->unsplit_usec = 0;
		store_touch(s->store, &farm->unsplit_usec, sizeof(farm->unsplit_usec));
	}
	r = claim_dispatch(s, farm);
	farm_leave(s);
	return r;
}

static int put_lease(struct score *s, struct farm *farm, uint64_t until_usec)
{
	farm->split = (struct split){ .parts = 0 };
	farm->lease_usec = until_usec;
	store_touch(s->store, farm, sizeof(*farm));
	return claim_dispatch(s, farm);
}

/* From now on the farm needs a lease, and has none. 0; 1: it needed one already; or -errno. */
static int need_lease(struct score *s)
{
	struct farm *farm;

	return IN_SECTION(s, farm, farm->lease_usec != 0 ? 1 : put_lease(s, farm, FARM_LEASE_OVER));
}

int attempt_split(struct score *s, const struct split *split, bool end_lease)
{
	uint64_t usec;

	if (split_is_leased(split))
		return need_lease(s);
	return begin_split(s, split, end_lease, &usec) ?: walk_nodes(s, divide, NULL, NULL) ?: end_split(s, usec);
}

int attempt_get_split(struct score *s, struct split *ret)
{
	struct farm *farm;

	return IN_SECTION(s, farm, (*ret = farm_split(farm), 0));
}

/* ---- shares that a program sets, for a time ---- */

int attempt_set_share(struct score *s, uint32_t node, uint32_t share, uint32_t *ret_busy)
{
	struct section at;
	int r = section_enter(s, node, &at);

	if (r < 0)
		return r;
	*ret_busy = at.entry->busy;
	r = at.farm->split.part > 0 ? -EBUSY : set_share(s, at.farm, at.record, at.entry, share);
	if (r == 0 && at.farm->unsplit_usec == 0) {
		at.farm->unsplit_usec = now_boottime();
		store_touch(s->store, &at.farm->unsplit_usec, sizeof(at.farm->unsplit_usec));
	}
	if (r == 0)
		r = claim_dispatch(s, at.farm);
	farm_leave(s);
	return r;
}

int attempt_set_lease(struct score *s, uint64_t until_usec)
{
	struct farm *farm;

	return IN_SECTION(s, farm, farm->split.part > 0 ? -EBUSY : put_lease(s, farm, until_usec));
}
