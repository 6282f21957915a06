/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * patient.c: what it would gain to keep a job from a slow slot that is free, for a
 * fast slot that is about to be. Two rules:
 *
 * A job is better later if all that wait could be served by faster slots, and end
 * there, in less time than a job takes on the slow slot:
 *
 *   waiting / rate + mean / fastest < mean / slow
 *
 * rate is how many jobs end in a second on nodes that are faster and full. Speeds
 * and the mean job are known, as corebalance would have to learn them.
 *
 * That is right for the job, and wrong for the batch if other jobs follow: slots
 * that are kept empty are lost. Without the second rule, batches of thousands take
 * up to half as long again, from half of the cores on. A gateway does not know
 * whether jobs will follow. So the farm has a credit of time: while jobs are held
 * back the credit goes down as time passes, else it rises by a tenth of the time,
 * up to a second. A job is held back only while there is credit, and only if there
 * is enough for all that wait. So no job is held back for more than a second at a
 * time, no slot idles while jobs wait for more than that and a tenth of the time,
 * and the order of jobs is kept.
 *
 * This is only simulated.
 */

#include "farm.h"

#include <math.h>

#define CREDIT_MOST_USEC 1e6
#define CREDIT_SHARE 0.1

static unsigned busy[NODES_MOST];
static struct fifo waiting;
static double credit_usec;
static uint64_t counted_usec;  /* up to when the credit is counted */
static bool holds;             /* jobs are held back */

void patient_start(const struct batch *batch)
{
	for (unsigned i = 0; i < batch->farm->n; i++)
		busy[i] = 0;
	waiting = (struct fifo){ .n = 0 };
	credit_usec = CREDIT_MOST_USEC;
	counted_usec = farm_now_usec();
	holds = false;
}

static void count_credit(void)
{
	double passed_usec = (double)(farm_now_usec() - counted_usec);

	credit_usec = fmin(credit_usec + passed_usec * (holds ? -1 : CREDIT_SHARE), CREDIT_MOST_USEC);
	counted_usec = farm_now_usec();
}

double patient_due(void)
{
	return holds ? fmax(credit_usec, 0) + 1 : INFINITY;
}

int patient_come(unsigned job, const struct batch *batch)
{
	(void)batch;
	fifo_push(&waiting, job);
	return -1;
}

/* What one job more does in a node. */
static double worth(const struct batch *batch, unsigned place)
{
	const struct kind *kind = kind_at(batch, place);

	return busy[place] < (kind->cores + 1) / 2 ? kind->speed : kind->speed * kind->smt;
}

static double share(const struct batch *batch, unsigned place)
{
	return 1 - (double)busy[place] / kind_at(batch, place)->cores;
}

static bool is_better(const struct batch *batch, unsigned a, unsigned b)
{
	double more = worth(batch, a) - worth(batch, b);

	return more > 0 || (more >= 0 && share(batch, a) > share(batch, b));
}

/* The node with the best free slot; -1: there is none. */
static int choose(const struct batch *batch)
{
	int best = -1;

	for (unsigned i = 0; i < batch->farm->n; i++)
		if (busy[i] < kind_at(batch, i)->cores && (best < 0 || is_better(batch, i, (unsigned)best)))
			best = (int)i;
	return best;
}

static bool is_better_later(const struct batch *batch, unsigned place)
{
	double mean = batch->work_usec / batch->n, slow = worth(batch, place), rate = 0, fastest = 0, wait;

	for (unsigned i = 0; i < batch->farm->n; i++) {
		const struct kind *kind = kind_at(batch, i);

		if (kind->speed <= slow || busy[i] < kind->cores)
			continue;
		rate += busy[i] * kind->speed / mean;
		fastest = fmax(kind->speed, fastest);
	}
	wait = waiting.n / rate;
	return rate > 0 && wait + mean / fastest < mean / slow && credit_usec > (holds ? 0 : wait);
}

int patient_more(const struct batch *batch, unsigned *ret_place)
{
	int place;

	count_credit();
	place = waiting.n > 0 ? choose(batch) : -1;
	holds = place >= 0 && is_better_later(batch, (unsigned)place);
	if (place < 0 || holds)
		return -1;
	busy[place]++;
	*ret_place = (unsigned)place;
	return (int)fifo_pop(&waiting);
}

int patient_go(unsigned job, unsigned place, bool failed, const struct batch *batch, unsigned *ret_place)
{
	(void)job;
	(void)failed;
	count_credit();
	busy[place]--;
	return patient_more(batch, ret_place);
}
