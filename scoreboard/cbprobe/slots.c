/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * slots.c: the lease is looked at when the first slot is taken, and when that lease
 * would end. It may have been renewed meanwhile.
 */

#include "slots.h"

#include <errno.h>

#include "cbprobe/checks/checkup.h"
#include "cbprobe/checks/conversation.h"
#include "system/timespan.h"

/* Looks until when slots may be held. 0 or -errno; *ret_over: no longer. */
static int look_at_lease(struct slots *slots, bool *ret_over)
{
	struct score_totals totals;
	int r = score_totals(slots->score, &totals);

	if (r < 0)
		return r;
	slots->lease_usec = totals.lease_usec;
	*ret_over = totals.lapsed;
	return 0;
}

enum outcome slots_admit(struct slots *slots, struct probe *probe, int *ret_error)
{
	bool served = false, over;
	int r;

	if (!checkup_works(probe->checkup))
		return OUTCOME_PENDING;
	r = score_claim_node(slots->score, probe->id, "cbprobe", &probe->talk->slot, &served);
	if (r == 0) {
		probe->talk->has_slot = true;
		r = slots->held++ == 0 ? look_at_lease(slots, &over) : 0;
		if (r == 0)
			return OUTCOME_PENDING;
	}
	if (r < 0 && r != -ENOENT) {
		*ret_error = r;
		return OUTCOME_UNKNOWN;
	}
	if (served && !probe->down) {
		probe->spared = true;
		return OUTCOME_UP;
	}
	if (r == 1 && !probe->was_full)
		return OUTCOME_LATER;
	return probe_cannot_tell(probe, REASON_NONE, "%s", r == 1 ? "no slot of it is free" : "it has gone");
}

bool slots_has(const struct probe *probe)
{
	return probe->talk && probe->talk->has_slot;
}

int slots_give_back(struct slots *slots, struct probe *probe, bool judged)
{
	int r;

	if (!slots_has(probe))
		return 0;
	slots->held--;
	r = score_unclaim(slots->score, &probe->talk->slot, judged);
	return r == -ESTALE ? 0 : r; /* this process was taken for dead, and reaped: from another PID namespace, say */
}

uint64_t slots_end_usec(const struct slots *slots)
{
	return slots->held > 0 ? slots->lease_usec : 0;
}

int slots_are_over(struct slots *slots, bool *ret_over)
{
	uint64_t end_usec = slots_end_usec(slots);

	*ret_over = false;
	return end_usec > 0 && now_boottime() >= end_usec ? look_at_lease(slots, ret_over) : 0;
}
