/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * peers.c: the policies of haproxy and nginx as they are there, with the number of
 * cores as maxconn (max_conns), and one queue for all servers, oldest first. That
 * queue is haproxy's; nginx has none and would end the connections, which no peer
 * of a farm may do. Weights are a server's cores times its speed, from an
 * administrator with both values; else they are equal.
 */

#include "farm.h"

#include <string.h>

static unsigned served[NODES_MOST];
static struct fifo waiting;
static uint64_t turn, turns[NODES_MOST];           /* among equals, the server that was moved first */
static unsigned cursor;
static double current[NODES_MOST];                 /* of the smooth weighted round robin */

void peer_start(const struct batch *batch)
{
	(void)memset(served, 0, sizeof(served));
	(void)memset(current, 0, sizeof(current));
	for (unsigned i = 0; i < batch->farm->n; i++)
		turns[i] = i;
	turn = batch->farm->n;
	cursor = 0;
	waiting = (struct fifo){ .n = 0 };
}

static bool has_room(const struct batch *batch, unsigned place)
{
	return served[place] < kind_at(batch, place)->cores;
}

static double weight(const struct batch *batch, unsigned place)
{
	return kind_at(batch, place)->cores * kind_at(batch, place)->speed;
}

/* At each change of its connections a server moves behind those with as many. */
static void count(unsigned place, int by)
{
	served[place] += (unsigned)by;
	turns[place] = turn++;
}

static int come(unsigned job, const struct batch *batch, int (*choose)(const struct batch *batch))
{
	int place = waiting.n > 0 ? -1 : choose(batch);

	if (place >= 0)
		count((unsigned)place, 1);
	else
		fifo_push(&waiting, job);
	return place;
}

/* The freed server takes the oldest waiting job. */
int peer_go(unsigned job, unsigned place, bool failed, const struct batch *batch, unsigned *ret_place)
{
	(void)job;
	(void)failed; /* the connect has worked, and nothing else is looked at */
	(void)batch;
	count(place, -1);
	if (waiting.n == 0)
		return -1;
	count(place, 1);
	*ret_place = place;
	return (int)fifo_pop(&waiting);
}

void peer_stop(void)
{
}

static int choose_leastconn(const struct batch *batch)
{
	int best = -1;

	for (unsigned i = 0; i < batch->farm->n; i++)
		if (has_room(batch, i) && (best < 0 || served[i] < served[best] ||
					   (served[i] == served[best] && turns[i] < turns[best])))
			best = (int)i;
	return best;
}

/* haproxy's fwlc with weights: (connections + 1) / weight, the smallest. */
static int choose_weighted_leastconn(const struct batch *batch)
{
	double best_load = 0;
	int best = -1;

	for (unsigned i = 0; i < batch->farm->n; i++) {
		double load = (served[i] + 1) / weight(batch, i);

		if (has_room(batch, i) && (best < 0 || load < best_load || (load <= best_load && turns[i] < turns[best]))) {
			best = (int)i;
			best_load = load;
		}
	}
	return best;
}

/* Any free slot, each as likely as another. */
static int choose_chance(const struct batch *batch)
{
	unsigned n = 0, which;

	for (unsigned i = 0; i < batch->farm->n; i++)
		n += kind_at(batch, i)->cores - served[i];
	which = (unsigned)(farm_uniform() * n);
	for (unsigned i = 0; i < batch->farm->n; i++) {
		unsigned left = kind_at(batch, i)->cores - served[i];

		if (which < left)
			return (int)i;
		which -= left;
	}
	return -1;
}

static int choose_first(const struct batch *batch)
{
	for (unsigned i = 0; i < batch->farm->n; i++)
		if (has_room(batch, i))
			return (int)i;
	return -1;
}

/* With equal weights, in turn; a full server counts as if it had had its turn. */
static int choose_roundrobin(const struct batch *batch)
{
	for (unsigned i = 0; i < batch->farm->n; i++) {
		unsigned place = (cursor + i) % batch->farm->n;

		if (has_room(batch, place)) {
			cursor = (place + 1) % batch->farm->n;
			return (int)place;
		}
	}
	return -1;
}

/* The smooth weighted round robin of both, among the candidates. */
static int smooth(const struct batch *batch, const bool candidates[NODES_MOST])
{
	double total = 0;
	int best = -1;

	for (unsigned i = 0; i < batch->farm->n; i++) {
		if (!candidates[i])
			continue;
		current[i] += weight(batch, i);
		total += weight(batch, i);
		if (best < 0 || current[i] > current[best])
			best = (int)i;
	}
	if (best >= 0)
		current[best] -= total;
	return best;
}

static int choose_weighted_roundrobin(const struct batch *batch)
{
	bool candidates[NODES_MOST];

	for (unsigned i = 0; i < batch->farm->n; i++)
		candidates[i] = has_room(batch, i);
	return smooth(batch, candidates);
}

/* nginx's least_conn: the fewest connections by weight; of equals by the smooth weighted round robin. */
static int choose_nginx(const struct batch *batch)
{
	bool candidates[NODES_MOST] = { false };
	double least = -1;

	for (unsigned i = 0; i < batch->farm->n; i++)
		if (has_room(batch, i) && (least < 0 || served[i] / weight(batch, i) < least))
			least = served[i] / weight(batch, i);
	for (unsigned i = 0; i < batch->farm->n; i++)
		candidates[i] = has_room(batch, i) && served[i] / weight(batch, i) <= least;
	return smooth(batch, candidates);
}

int leastconn_come(unsigned job, const struct batch *batch)
{
	return come(job, batch, choose_leastconn);
}

int weighted_leastconn_come(unsigned job, const struct batch *batch)
{
	return come(job, batch, choose_weighted_leastconn);
}

int first_come(unsigned job, const struct batch *batch)
{
	return come(job, batch, choose_first);
}

int roundrobin_come(unsigned job, const struct batch *batch)
{
	return come(job, batch, choose_roundrobin);
}

int weighted_roundrobin_come(unsigned job, const struct batch *batch)
{
	return come(job, batch, choose_weighted_roundrobin);
}

int nginx_come(unsigned job, const struct batch *batch)
{
	return come(job, batch, choose_nginx);
}

int chance_come(unsigned job, const struct batch *batch)
{
	return come(job, batch, choose_chance);
}
