/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * farm.h: what the ways to choose nodes know of the simulated farm.
 */

#include <stdbool.h>
#include <stdint.h>

#define NODES_MOST 16u

/* Alike nodes of a farm have a kind each. */
struct kind {
	unsigned cores;
	double speed;
	double smt;            /* what a core adds when half of the cores are busy; 1: as much as before */
};

struct farm_kind {
	const char *name, *word;
	const struct kind *kinds;
	unsigned n;
	/* From the middle of the batch on, this node has a quarter of its speed; or takes connections and ends them at once,
	 * without an answer. NODES_MOST: no node does. */
	unsigned slows, fails;
};

struct job {
	double work_usec;      /* on a node of speed 1 */
	uint64_t in, out;      /* bytes, which tell the work roughly */
};

struct batch {
	const struct farm_kind *farm;
	struct job *jobs;
	unsigned n;
	double work_usec, longest_usec;
	unsigned order[NODES_MOST]; /* of the kinds in the node list */
};

/* A way to choose nodes. A place is a node's index in the list; a job is its number. */
struct chooser {
	const char *name, *word;
	void (*start)(const struct batch *batch);
	/* A job comes, also one that a node has failed. Returns its place, or -1 if it waits. */
	int (*come)(unsigned job, const struct batch *batch);
	/* A job at a place has ended, or the node has failed it. Returns the waiting job that gets a place, with *ret_place;
	 * or -1. */
	int (*go)(unsigned job, unsigned place, bool failed, const struct batch *batch, unsigned *ret_place);
	void (*stop)(void);
	/* NULL; or the next waiting job that gets a place, after each come() and go(), as go(). */
	int (*more)(const struct batch *batch, unsigned *ret_place);
	/* NULL; or in how many microseconds more() is to be called though no job comes or ends; INFINITY: not at all. */
	double (*due)(void);
	bool sorted;           /* the node list has the fastest first */
	bool fresh;            /* knows nothing at the start */
	bool patient;          /* with --patience */
	bool probed;           /* by compiles, every half minute */
	enum { LEARNED, KNOWN, EQUAL } speeds;
};

static inline const struct kind *kind_at(const struct batch *batch, unsigned place)
{
	return &batch->farm->kinds[batch->order[place]];
}

/* The simulated time. */
uint64_t farm_now_usec(void);

/* Jobs that wait, first in, first out. Empty if it is all zero. */
#define FIFO_MOST 512u
struct fifo {
	unsigned jobs[FIFO_MOST];
	unsigned first, n;
};

/* Adds a job, and takes the first. The caller knows that there is room, or a job. */
void fifo_push(struct fifo *fifo, unsigned job);
unsigned fifo_pop(struct fifo *fifo);

/* A number from 0 to 1, with neither: the same on every machine. */
double farm_uniform(void);

/* The peers' ways, for a struct chooser: start and go are the same for all. */
void peer_start(const struct batch *batch);
int peer_go(unsigned job, unsigned place, bool failed, const struct batch *batch, unsigned *ret_place);
void peer_stop(void);
int leastconn_come(unsigned job, const struct batch *batch);
int first_come(unsigned job, const struct batch *batch);
int roundrobin_come(unsigned job, const struct batch *batch);
int weighted_roundrobin_come(unsigned job, const struct batch *batch);
int weighted_leastconn_come(unsigned job, const struct batch *batch);
int nginx_come(unsigned job, const struct batch *batch);

/* A free slot by chance, with the peers' start and go. */
int chance_come(unsigned job, const struct batch *batch);
