/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * patient.c: what it would gain to keep a job from a slow slot that is free, for a
 * fast slot that is about to be. The job waits if all that wait could be served by
 * faster slots, and end there, in less time than a job takes on the slow slot:
 *
 *   waiting / rate + mean / fastest < mean / slow
 *
 * rate is how many jobs end in a second on nodes that are faster and full. Speeds
 * and the mean job are known, as corebalance would have to learn them; a job's
 * turn is looked at whenever a job comes or ends.
 *
 * This is only simulated. It gains where nothing follows: a fifth to two fifths of
 * a burst, and the end of a batch, which is much of a batch of some hundred jobs.
 * Where jobs follow, from half of the cores on, slots that are kept empty are
 * lost: batches of thousands take up to half as long again. A gateway does not
 * know whether jobs will follow.
 */

#include "farm.h"

static unsigned busy[NODES_MOST];
static unsigned waiting_first, waiting_end;        /* jobs come in the order of their numbers */

void patient_start(const struct batch *batch)
{
	for (unsigned i = 0; i < batch->farm->n; i++)
		busy[i] = 0;
	waiting_first = waiting_end = 0;
}

int patient_come(unsigned job, const struct batch *batch)
{
	(void)batch;
	if (waiting_first == waiting_end)
		waiting_first = job;
	waiting_end = job + 1;
	return -1;
}

/* What one job more does in a node. */
static double worth(const struct batch *batch, unsigned place)
{
	const struct kind *kind = kind_at(batch, place);

	return busy[place] < (kind->cores + 1) / 2 ? kind->speed : kind->speed * kind->smt;
}

/* The node with the best free slot; -1: there is none. */
static int choose(const struct batch *batch)
{
	int best = -1;

	for (unsigned i = 0; i < batch->farm->n; i++)
		if (busy[i] < kind_at(batch, i)->cores && (best < 0 || worth(batch, i) > worth(batch, (unsigned)best)))
			best = (int)i;
	return best;
}

static bool is_better_later(const struct batch *batch, unsigned place)
{
	double mean = batch->work_usec / batch->n, slow = worth(batch, place), rate = 0, fastest = 0;

	for (unsigned i = 0; i < batch->farm->n; i++) {
		const struct kind *kind = kind_at(batch, i);

		if (kind->speed <= slow || busy[i] < kind->cores)
			continue;
		rate += busy[i] * kind->speed / mean;
		fastest = kind->speed > fastest ? kind->speed : fastest;
	}
	return rate > 0 && (waiting_end - waiting_first) / rate + mean / fastest < mean / slow;
}

int patient_more(const struct batch *batch, unsigned *ret_place)
{
	int place = waiting_first < waiting_end ? choose(batch) : -1;

	if (place < 0 || is_better_later(batch, (unsigned)place))
		return -1;
	busy[place]++;
	*ret_place = (unsigned)place;
	return (int)waiting_first++;
}

int patient_go(unsigned job, unsigned place, const struct batch *batch, unsigned *ret_place)
{
	(void)job;
	busy[place]--;
	return patient_more(batch, ret_place);
}
