/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * farm.c: a simulated farm of unequal nodes. A client runs a batch of jobs, so
 * many at once (make -j): when a job ends, the next begins. The time of the whole
 * batch is compared between corebalance's policy, on the real scoreboard library,
 * haproxy's policies, and a bound that no choice of nodes can beat.
 *
 * Time is simulated: the linker (--wrap) replaces the library's clock by that of
 * this file. So hours pass in a second, and a seed gives the same result again.
 * haproxy's policies are written as in haproxy, with maxconn at the number of
 * cores, equal weights, and its one queue for all servers.
 *
 * Usage: cbbench-farm SCOREBOARD JOBS SEEDS
 */

#include <errno.h>
#include <stdarg.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scoreboard.h"
#include "system/timespan.h"

#define NODES 5u
#define CORES_ALL 40u
#define PASS_USEC (30 * USEC_PER_SEC)     /* of the prober */

static const struct kind {
	unsigned cores;
	double speed;
} kinds[NODES] = { { 16, 4 }, { 8, 2 }, { 8, 1 }, { 4, 1 }, { 4, 0.5 } };

static const char *path;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)fprintf(stderr, "cbbench-farm: ");
	(void)vfprintf(stderr, format, ap);
	(void)fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

/* ---- the clock ---- */

static uint64_t clock_usec = UINT64_C(1700000000) * USEC_PER_SEC;

uint64_t __wrap_now_realtime(void);
uint64_t __wrap_now_realtime(void)
{
	return clock_usec;
}

uint64_t __wrap_now_boottime(void);
uint64_t __wrap_now_boottime(void)
{
	return clock_usec;
}

/* ---- chance ---- */

static uint64_t chance;

static double uniform(void)
{
	/* xorshift64*: the same numbers on every machine. */
	chance ^= chance >> 12;
	chance ^= chance << 25;
	chance ^= chance >> 27;
	return ((double)(chance * UINT64_C(2685821657736338717) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static void seed(unsigned n)
{
	chance = n * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (int i = 0; i < 8; i++)
		(void)uniform();
}

/* ---- a batch ---- */

struct job {
	double work_usec;      /* on a node of speed 1 */
	uint64_t in, out;      /* bytes, which tell the work roughly */
};

struct batch {
	struct job *jobs;
	unsigned n;
	double work_usec, longest_usec;
	unsigned order[NODES]; /* of the kinds in the node list */
};

/* Makes a batch of compiles, as of a real build: half take less than two seconds, a few half a minute. */
static void batch_make(struct batch *batch, unsigned n, unsigned number)
{
	seed(number);
	*batch = (struct batch){ .jobs = calloc(n, sizeof(*batch->jobs)), .n = n };
	if (!batch->jobs)
		fail("%s", strerror(ENOMEM));
	for (unsigned i = 0; i < n; i++) {
		double size = exp(normal()), work;

		size = size > 15 ? 15 : size;
		work = 2e6 * size;
		batch->jobs[i] = (struct job){
			.work_usec = work,
			.in = (uint64_t)(300e3 * pow(size, 0.7) * exp(0.4 * normal())),
			.out = (uint64_t)(40e3 * pow(size, 0.8) * exp(0.4 * normal())),
		};
		batch->work_usec += work;
		if (work > batch->longest_usec)
			batch->longest_usec = work;
	}
	for (unsigned i = 0; i < NODES; i++)
		batch->order[i] = i;
	for (unsigned i = NODES - 1; i > 0; i--) {
		unsigned j = (unsigned)(uniform() * (i + 1)), other = batch->order[i];

		batch->order[i] = batch->order[j];
		batch->order[j] = other;
	}
}

/* The least time of a batch for any choice of nodes: the fastest cores, as many as run in parallel, work all the time;
 * and at least the longest job. */
static double batch_bound(const struct batch *batch, unsigned parallel)
{
	double speed = 0;
	unsigned left = parallel;

	for (unsigned i = 0; i < NODES; i++) {
		unsigned cores = left < kinds[i].cores ? left : kinds[i].cores;

		speed += cores * kinds[i].speed;
		left -= cores;
	}
	return fmax(batch->work_usec / speed, batch->longest_usec / kinds[0].speed);
}

/* ---- choosers ---- */

/* A way to choose nodes. A place is a node's index in the list; a job is its number. */
struct chooser {
	const char *name, *word;
	void (*start)(const struct batch *batch);
	/* A job comes. Returns its place, or -1 if it waits. */
	int (*come)(unsigned job, const struct batch *batch);
	/* A job at a place has ended. Returns the waiting job that gets a place, with *ret_place; or -1. */
	int (*go)(unsigned job, unsigned place, const struct batch *batch, unsigned *ret_place);
	void (*stop)(void);
	bool sorted;           /* the node list has the fastest first */
	bool fresh;            /* knows nothing at the start */
	bool probed;           /* by compiles, every half minute */
	enum { LEARNED, KNOWN, EQUAL } speeds;
};

static const struct kind *kind_at(const struct batch *batch, unsigned place)
{
	return &kinds[batch->order[place]];
}

/* haproxy: the state that its policies share. */
static unsigned served[NODES];
static unsigned waiting_first, waiting_end;        /* jobs come in the order of their numbers */
static uint64_t turn, turns[NODES];                /* leastconn: among equals, the server that was moved first */
static unsigned cursor;

static void haproxy_start(const struct batch *batch)
{
	(void)batch;
	(void)memset(served, 0, sizeof(served));
	for (unsigned i = 0; i < NODES; i++)
		turns[i] = i;
	turn = NODES;
	cursor = 0;
	waiting_first = waiting_end = 0;
}

static bool has_room(const struct batch *batch, unsigned place)
{
	return served[place] < kind_at(batch, place)->cores;
}

/* At each change of its connections a server moves behind those with as many. */
static void haproxy_count(unsigned place, int by)
{
	served[place] += (unsigned)by;
	turns[place] = turn++;
}

static int haproxy_come(unsigned job, const struct batch *batch, int (*choose)(const struct batch *batch))
{
	int place = waiting_first < waiting_end ? -1 : choose(batch);

	if (place >= 0) {
		haproxy_count((unsigned)place, 1);
	} else {
		if (waiting_first == waiting_end)
			waiting_first = job;
		waiting_end = job + 1;
	}
	return place;
}

/* The freed server takes the oldest waiting job. */
static int haproxy_go(unsigned job, unsigned place, const struct batch *batch, unsigned *ret_place)
{
	(void)job;
	(void)batch;
	haproxy_count(place, -1);
	if (waiting_first == waiting_end)
		return -1;
	haproxy_count(place, 1);
	*ret_place = place;
	return (int)waiting_first++;
}

static int choose_leastconn(const struct batch *batch)
{
	int best = -1;

	for (unsigned i = 0; i < NODES; i++)
		if (has_room(batch, i) && (best < 0 || served[i] < served[best] ||
					   (served[i] == served[best] && turns[i] < turns[best])))
			best = (int)i;
	return best;
}

static int choose_first(const struct batch *batch)
{
	for (unsigned i = 0; i < NODES; i++)
		if (has_room(batch, i))
			return (int)i;
	return -1;
}

/* With equal weights, in turn; a full server counts as if it had had its turn. */
static int choose_roundrobin(const struct batch *batch)
{
	for (unsigned i = 0; i < NODES; i++) {
		unsigned place = (cursor + i) % NODES;

		if (has_room(batch, place)) {
			cursor = (place + 1) % NODES;
			return (int)place;
		}
	}
	return -1;
}

static int leastconn_come(unsigned job, const struct batch *batch)
{
	return haproxy_come(job, batch, choose_leastconn);
}

static int first_come(unsigned job, const struct batch *batch)
{
	return haproxy_come(job, batch, choose_first);
}

static int roundrobin_come(unsigned job, const struct batch *batch)
{
	return haproxy_come(job, batch, choose_roundrobin);
}

static void haproxy_stop(void)
{
}

/* corebalance */
static const struct chooser *ours;
static struct score *score;
static struct score_slot *slots;       /* by job */
static struct score_ticket *tickets;
static uint64_t passed_usec;

static void score_make(const struct batch *batch, const struct chooser *chooser)
{
	char text[NODES * 64];
	struct nodelist list;
	size_t used = 0;

	for (unsigned i = 0; i < NODES; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "127.0.0.1, %u, %u, 0", i + 1,
					 kind_at(batch, i)->cores);
		if (chooser->speeds != LEARNED)
			used += (size_t)snprintf(text + used, sizeof(text) - used, ", speed=%g",
						 chooser->speeds == KNOWN ? kind_at(batch, i)->speed : 1.0);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "\n");
	}
	(void)unlink(path);
	if (nodelist_parse("farm", text, used, &list) < 0 || list.n_errors || score_open(path, &list, &score) < 0)
		fail("cannot make %s", path);
	nodelist_clear(&list);
}

/* Does a pass of the prober: node ids begin with 1 and follow the list. */
static void pass(const struct batch *batch)
{
	for (unsigned i = 0; i < NODES; i++) {
		struct score_verdict verdict = { .success = true, .rise = 1, .fall = 1 };
		struct score_edge edge;

		if (ours->probed)
			verdict.work_usec = (uint64_t)((60e3 / kind_at(batch, i)->speed + 10e3) * exp(0.1 * normal()));
		if (score_verdict(score, i + 1, &verdict, &edge) < 0)
			fail("no verdict");
	}
	if (score_age(score) < 0)
		fail("no ageing");
	passed_usec = clock_usec;
}

static void ours_start(const struct batch *batch)
{
	if (ours->fresh || !score) {
		score_make(batch, ours);
		/* The prober has run for five minutes. */
		for (unsigned i = 0; i < 10; i++, clock_usec += PASS_USEC)
			pass(batch);
	}
	slots = calloc(batch->n, sizeof(*slots));
	tickets = calloc(batch->n, sizeof(*tickets));
	if (!slots || !tickets)
		fail("%s", strerror(ENOMEM));
	waiting_first = waiting_end = 0;
}

static int ours_come(unsigned job, const struct batch *batch)
{
	struct score_target target;
	int r;

	if (clock_usec - passed_usec >= PASS_USEC)
		pass(batch);
	r = score_claim(score, &(struct score_arrival){ .client = "client" }, &slots[job], &target, &tickets[job]);
	if (r < 0)
		fail("no claim: %s", score_strerror(r));
	if (r == 0)
		return (int)slots[job].node - 1;
	if (waiting_first == waiting_end)
		waiting_first = job;
	waiting_end = job + 1;
	return -1;
}

static int ours_go(unsigned job, unsigned place, const struct batch *batch, unsigned *ret_place)
{
	struct score_target target;

	(void)place;
	if (score_release(score, &slots[job], batch->jobs[job].in, batch->jobs[job].out, true) < 0)
		fail("no release");
	if (waiting_first == waiting_end)
		return -1;
	if (score_take(score, &tickets[waiting_first], &slots[waiting_first], &target) != 0)
		fail("a slot is free, and the oldest waiter did not get it");
	*ret_place = slots[waiting_first].node - 1;
	return (int)waiting_first++;
}

static void ours_stop(void)
{
	free(slots);
	free(tickets);
}

/* ---- the simulation ---- */

struct end {
	double usec;
	unsigned job, place;
};

/* The jobs that run: at most as many as there are cores, so a plain array is enough. */
static struct end running[CORES_ALL];
static unsigned n_running;

static void run_job(const struct batch *batch, unsigned job, unsigned place, double now_usec)
{
	if (n_running == CORES_ALL)
		fail("a node has more connections than cores");
	running[n_running++] = (struct end){ now_usec + batch->jobs[job].work_usec / kind_at(batch, place)->speed, job, place };
}

static struct end next_end(void)
{
	unsigned first = 0;
	struct end end;

	for (unsigned i = 1; i < n_running; i++)
		if (running[i].usec < running[first].usec)
			first = i;
	end = running[first];
	running[first] = running[--n_running];
	return end;
}

/* Runs the whole batch. Returns its time. */
static double simulate(const struct chooser *chooser, const struct batch *batch, unsigned parallel)
{
	uint64_t begun_usec = clock_usec;
	unsigned next = 0, done = 0;
	double now_usec = 0;

	n_running = 0;
	chooser->start(batch);
	while (done < batch->n) {
		struct end end;
		unsigned place;
		int job;

		while (next < batch->n && next - done < parallel) {
			job = chooser->come(next, batch);
			if (job >= 0)
				run_job(batch, next, (unsigned)job, now_usec);
			next++;
		}
		end = next_end();
		now_usec = end.usec;
		clock_usec = begun_usec + (uint64_t)now_usec;
		done++;
		job = chooser->go(end.job, end.place, batch, &place);
		if (job >= 0)
			run_job(batch, (unsigned)job, place, now_usec);
	}
	chooser->stop();
	return now_usec;
}

/* ---- the table ---- */

#define CHOOSER_OURS ours_start, ours_come, ours_go, ours_stop
#define CHOOSER_HAPROXY(policy) haproxy_start, policy##_come, haproxy_go, haproxy_stop

enum { COLD, PROBED, WARM, KNOWN_, EQUAL_, LEASTCONN, FIRST, ROUNDROBIN, FIRST_SORTED, CHOOSERS };

static const struct chooser choosers[CHOOSERS] = {
	[COLD] = { "learned, cold", "learned-cold", CHOOSER_OURS, .fresh = true, .speeds = LEARNED },
	[PROBED] = { "learned, cold but probed", "learned-probed", CHOOSER_OURS, .fresh = true, .probed = true, .speeds = LEARNED },
	[WARM] = { "learned, second batch", "learned", CHOOSER_OURS, .speeds = LEARNED },
	[KNOWN_] = { "known (speed=)", "known", CHOOSER_OURS, .fresh = true, .speeds = KNOWN },
	[EQUAL_] = { "equal (speed=1)", "equal", CHOOSER_OURS, .fresh = true, .speeds = EQUAL },
	[LEASTCONN] = { "haproxy leastconn", "leastconn", CHOOSER_HAPROXY(leastconn) },
	[FIRST] = { "haproxy first", "first", CHOOSER_HAPROXY(first) },
	[ROUNDROBIN] = { "haproxy roundrobin", "roundrobin", CHOOSER_HAPROXY(roundrobin) },
	[FIRST_SORTED] = { "haproxy first, list sorted", "first-sorted", CHOOSER_HAPROXY(first), .sorted = true },
};

static double run(unsigned which, const struct batch *batch, unsigned parallel, unsigned number)
{
	struct batch mine = *batch, before;
	double usec;

	ours = &choosers[which];
	seed(number + 1000000);
	if (ours->sorted)
		for (unsigned i = 0; i < NODES; i++)
			mine.order[i] = i;
	if (which == WARM) {
		/* Another batch on the same farm, ten minutes ago. */
		batch_make(&before, batch->n, number + 500000);
		(void)memcpy(before.order, mine.order, sizeof(before.order));
		(void)simulate(ours, &before, parallel);
		clock_usec += 600 * USEC_PER_SEC;
		free(before.jobs);
	}
	usec = simulate(ours, &mine, parallel);
	score = score_close(score);
	return usec;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), compare);
	return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

struct load {
	const char *name;
	unsigned parallel;
};

/* Ratios of the times in a to those in b, seed by seed. Returns their median; the least and greatest in ret_spread. */
static double ratio(const double *a, const double *b, unsigned n, double ret_spread[2])
{
	double *ratios = calloc(n, sizeof(*ratios)), middle;

	if (!ratios)
		fail("%s", strerror(ENOMEM));
	for (unsigned i = 0; i < n; i++)
		ratios[i] = a[i] / b[i];
	middle = median(ratios, n);
	ret_spread[0] = ratios[0];
	ret_spread[1] = ratios[n - 1];
	free(ratios);
	return middle;
}

static void goal(const char *load, const char *what, double is, double limit)
{
	(void)printf("GOAL\t%s\t%s\t%.3f\t%.2f\t%s\n", load, what, is, limit, is <= limit ? "reached" : "missed");
}

static void measure(const struct load *load, unsigned n_jobs, unsigned seeds)
{
	double *times[CHOOSERS], *bounds = calloc(seeds, sizeof(*bounds)), middle[CHOOSERS], spread[2];
	unsigned best = LEASTCONN;

	if (!bounds)
		fail("%s", strerror(ENOMEM));
	for (unsigned i = 0; i < CHOOSERS; i++)
		if (!(times[i] = calloc(seeds, sizeof(*times[i]))))
			fail("%s", strerror(ENOMEM));
	for (unsigned number = 0; number < seeds; number++) {
		struct batch batch;

		batch_make(&batch, n_jobs, number + 1);
		bounds[number] = batch_bound(&batch, load->parallel);
		(void)printf("RUN\t%s\tbound\t%u\t%.3f\n", load->name, number + 1, bounds[number] / 1e6);
		for (unsigned i = 0; i < CHOOSERS; i++) {
			times[i][number] = run(i, &batch, load->parallel, number + 1);
			(void)printf("RUN\t%s\t%s\t%u\t%.3f\n", load->name, choosers[i].word, number + 1,
				     times[i][number] / 1e6);
		}
		free(batch.jobs);
	}
	for (unsigned i = 0; i < CHOOSERS; i++) {
		middle[i] = ratio(times[i], bounds, seeds, spread);
		(void)printf("TIME\t%s\t%u\t%u\t%s\t%.3f\t%.3f\t%.3f\n", load->name, load->parallel, n_jobs, choosers[i].name,
			     middle[i], spread[0], spread[1]);
	}
	for (unsigned i = LEASTCONN; i <= ROUNDROBIN; i++)
		if (middle[i] < middle[best])
			best = i;
	if (load->parallel * 4 <= CORES_ALL) {
		goal(load->name, "learned, cold / bound", middle[COLD], 1.05);
		goal(load->name, "learned, second batch / bound", middle[WARM], 1.05);
	}
	for (unsigned i = COLD; i <= WARM; i += WARM - COLD) {
		char what[128];

		(void)snprintf(what, sizeof(what), "%s / %s", choosers[i].name, choosers[best].name);
		goal(load->name, what, ratio(times[i], times[best], seeds, spread), 0.95);
	}
	for (unsigned i = 0; i < CHOOSERS; i++)
		free(times[i]);
	free(bounds);
}

int main(int argc, char **argv)
{
	static const struct load loads[] = {
		{ "light", 10 }, { "middle", 20 }, { "heavy", 36 }, { "full", 60 },
	};
	long n_jobs = argc == 4 ? strtol(argv[2], NULL, 10) : 0, seeds = argc == 4 ? strtol(argv[3], NULL, 10) : 0;

	if (n_jobs < 1 || n_jobs > 1000000 || seeds < 1 || seeds > 1000) {
		(void)fprintf(stderr, "Usage: cbbench-farm SCOREBOARD JOBS SEEDS\n");
		return 64;
	}
	path = argv[1];
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		measure(&loads[i], (unsigned)n_jobs, (unsigned)seeds);
	(void)unlink(path);
	return 0;
}
