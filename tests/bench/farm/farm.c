/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * farm.c: simulated farms of unequal nodes. A client runs a batch of jobs, so
 * many at once (make -j): when a job ends, the next begins. The time of the whole
 * batch is compared between corebalance's policy, on the real scoreboard library,
 * the policies of haproxy and nginx (peers.c), and a bound that no choice of nodes
 * can beat.
 *
 * Time is simulated: the linker (--wrap) replaces the library's clock by that of
 * this file. So hours pass in a second, and a seed gives the same result again.
 *
 * Usage: cbbench-farm SCOREBOARD JOBS SEEDS [FARM]
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

#include "farm.h"
#include "scoreboard.h"
#include "system/timespan.h"

#define CORES_MOST 256u
#define PASS_USEC (30 * USEC_PER_SEC)     /* of the prober */

#define KINDS(...) (const struct kind[]){ __VA_ARGS__ }, sizeof((const struct kind[]){ __VA_ARGS__ }) / sizeof(struct kind)
#define NO_NODE NODES_MOST

/* The first is that of the goals in the table. */
static const struct farm_kind farms[] = {
	{ "16 cores of speed 4, 8 of 2, 8 and 4 of 1, 4 of 0.5", "mixed",
	  KINDS({ 16, 4, 1 }, { 8, 2, 1 }, { 8, 1, 1 }, { 4, 1, 1 }, { 4, 0.5, 1 }), NO_NODE },
	{ "two fast nodes, 8 cores of speed 3, and six slow ones, 4 of 1", "two-fast",
	  KINDS({ 8, 3, 1 }, { 8, 3, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }), NO_NODE },
	{ "one big node, 32 cores of speed 1, and eight small ones, 2 of 2", "one-big",
	  KINDS({ 32, 1, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }),
	  NO_NODE },
	{ "four nodes, 16 threads of speed 2, 2, 1.5 and 1, of which the second half adds three tenths", "threads",
	  KINDS({ 16, 2, 0.3 }, { 16, 2, 0.3 }, { 16, 1.5, 0.3 }, { 16, 1, 0.3 }), NO_NODE },
	{ "the two fast nodes and six slow ones, of which a fast one slows to a quarter half-way", "slows",
	  KINDS({ 8, 3, 1 }, { 8, 3, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }), 0 },
};

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

/* Makes a batch of compiles, as of a real build: half take less than two seconds, a few half a minute. */
static void batch_make(struct batch *batch, const struct farm_kind *farm, unsigned n, unsigned number)
{
	seed(number);
	*batch = (struct batch){ .farm = farm, .jobs = calloc(n, sizeof(*batch->jobs)), .n = n };
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
	for (unsigned i = 0; i < farm->n; i++)
		batch->order[i] = i;
	for (unsigned i = farm->n - 1; i > 0; i--) {
		unsigned j = (unsigned)(uniform() * (i + 1)), other = batch->order[i];

		batch->order[i] = batch->order[j];
		batch->order[j] = other;
	}
}

static int compare_down(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

/* What each core of a farm adds, the most first. Returns how many there are. */
static unsigned cores_of(const struct farm_kind *farm, double ret[CORES_MOST])
{
	unsigned n = 0;

	for (unsigned i = 0; i < farm->n; i++)
		for (unsigned j = 0; j < farm->kinds[i].cores; j++)
			ret[n++] = farm->kinds[i].speed * (j < (farm->kinds[i].cores + 1) / 2 ? 1 : farm->kinds[i].smt);
	qsort(ret, n, sizeof(*ret), compare_down);
	return n;
}

static double fastest_of(const struct farm_kind *farm)
{
	double cores[CORES_MOST] = { 0 };

	(void)cores_of(farm, cores);
	return cores[0];
}

/* The least time of a batch for any choice of nodes: the fastest cores, as many as run in parallel, work all the time;
 * and at least the longest job. No node slows. */
static double batch_bound(const struct batch *batch, unsigned parallel)
{
	double cores[CORES_MOST] = { 0 }, speed = 0;
	unsigned n = cores_of(batch->farm, cores);

	for (unsigned i = 0; i < n && i < parallel; i++)
		speed += cores[i];
	return fmax(batch->work_usec / speed, batch->longest_usec / cores[0]);
}

/* ---- corebalance ---- */

static const struct chooser *ours;
static struct score *score;
static struct score_slot *slots;       /* by job */
static struct score_ticket *tickets;
static uint64_t passed_usec;
static unsigned waiting_first, waiting_end;        /* jobs come in the order of their numbers */

static void score_make(const struct batch *batch, const struct chooser *chooser)
{
	char text[NODES_MOST * 64];
	struct nodelist list;
	size_t used = 0;

	for (unsigned i = 0; i < batch->farm->n; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "127.0.0.1, %u, %u, 0", i + 1,
					 kind_at(batch, i)->cores);
		if (chooser->speeds != LEARNED)
			used += (size_t)snprintf(text + used, sizeof(text) - used, ", speed=%g",
						 chooser->speeds == KNOWN ? kind_at(batch, i)->speed : 1.0);
		if (chooser->speeds == KNOWN && kind_at(batch, i)->smt < 1)
			used += (size_t)snprintf(text + used, sizeof(text) - used, ", smt=%g", kind_at(batch, i)->smt);
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
	for (unsigned i = 0; i < batch->farm->n; i++) {
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

struct running {
	double left_usec;      /* work */
	double come_usec;      /* when the job came */
	unsigned job, place;
};

static struct running running[CORES_MOST];
static unsigned n_running, busy[NODES_MOST];

/* Times of single jobs over what each takes on the fastest core: sum, and each, for the 99th percentile. */
struct outcome {
	double usec;
	double mean, p99;
};

static void run_job(const struct batch *batch, unsigned job, unsigned place, double come_usec)
{
	if (busy[place]++ == kind_at(batch, place)->cores)
		fail("a node has more connections than cores");
	running[n_running++] = (struct running){ batch->jobs[job].work_usec, come_usec, job, place };
}

/* What a node's cores do for each of its jobs; slow: the node that slows has slowed. */
static double speed_now(const struct batch *batch, unsigned place, bool slow)
{
	const struct kind *kind = kind_at(batch, place);
	unsigned half = (kind->cores + 1) / 2, n = busy[place];
	double all = n <= half ? n : half + (n - half) * kind->smt;

	return kind->speed * all / n * (slow && batch->order[place] == batch->farm->slows ? 0.25 : 1);
}

/* Lets time pass until the next job ends. Returns that job; *now_usec is its end. */
static struct running next_end(const struct batch *batch, bool slow, double *now_usec)
{
	double pass_usec = INFINITY;
	struct running end;
	unsigned first = 0;

	for (unsigned i = 0; i < n_running; i++) {
		double left = running[i].left_usec / speed_now(batch, running[i].place, slow);

		if (left < pass_usec) {
			pass_usec = left;
			first = i;
		}
	}
	for (unsigned i = 0; i < n_running; i++)
		running[i].left_usec -= pass_usec * speed_now(batch, running[i].place, slow);
	*now_usec += pass_usec;
	end = running[first];
	running[first] = running[--n_running];
	busy[end.place]--;
	return end;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct outcome sum_up(double *stretches, unsigned n, double usec)
{
	struct outcome outcome = { .usec = usec };

	for (unsigned i = 0; i < n; i++)
		outcome.mean += stretches[i] / n;
	qsort(stretches, n, sizeof(*stretches), compare);
	outcome.p99 = stretches[n * 99 / 100];
	return outcome;
}

/* Runs the jobs that have waited, and get a place now. */
static void run_more(const struct chooser *chooser, const struct batch *batch, const double *come_usec)
{
	unsigned place;
	int job;

	while (chooser->more && (job = chooser->more(batch, &place)) >= 0)
		run_job(batch, (unsigned)job, place, come_usec[job]);
}

/* Runs the whole batch: parallel jobs at once; or in bursts of so many, each when the burst before has ended. */
static struct outcome simulate(const struct chooser *chooser, const struct batch *batch, unsigned parallel, bool bursts)
{
	double *stretches = calloc(batch->n, sizeof(*stretches)), *come_usec = calloc(batch->n, sizeof(*come_usec));
	double now_usec = 0, fastest = fastest_of(batch->farm);
	uint64_t begun_usec = clock_usec;
	unsigned next = 0, done = 0;
	struct outcome outcome;

	if (!stretches || !come_usec)
		fail("%s", strerror(ENOMEM));
	n_running = 0;
	(void)memset(busy, 0, sizeof(busy));
	chooser->start(batch);
	while (done < batch->n) {
		struct running end;
		unsigned place;
		bool all = !bursts || next == done;
		int job;

		while (all && next < batch->n && next - done < parallel) {
			come_usec[next] = now_usec;
			job = chooser->come(next, batch);
			if (job >= 0)
				run_job(batch, next, (unsigned)job, now_usec);
			next++;
		}
		run_more(chooser, batch, come_usec);
		end = next_end(batch, done > batch->n / 2, &now_usec);
		clock_usec = begun_usec + (uint64_t)now_usec;
		stretches[done++] = (now_usec - end.come_usec) * fastest / batch->jobs[end.job].work_usec;
		job = chooser->go(end.job, end.place, batch, &place);
		if (job >= 0)
			run_job(batch, (unsigned)job, place, come_usec[job]);
		run_more(chooser, batch, come_usec);
	}
	chooser->stop();
	outcome = sum_up(stretches, batch->n, now_usec);
	free(stretches);
	free(come_usec);
	return outcome;
}

/* The bound of a batch in bursts: that of each. */
static double bursts_bound(const struct batch *batch, unsigned parallel)
{
	double bound = 0;

	for (unsigned from = 0; from < batch->n; from += parallel) {
		struct batch burst = *batch;

		burst.jobs = batch->jobs + from;
		burst.n = batch->n - from < parallel ? batch->n - from : parallel;
		burst.work_usec = burst.longest_usec = 0;
		for (unsigned i = 0; i < burst.n; i++) {
			burst.work_usec += burst.jobs[i].work_usec;
			burst.longest_usec = fmax(burst.longest_usec, burst.jobs[i].work_usec);
		}
		bound += batch_bound(&burst, parallel);
	}
	return bound;
}

/* ---- the table ---- */

#define CHOOSER_OURS ours_start, ours_come, ours_go, ours_stop
#define CHOOSER_PEER(policy) peer_start, policy##_come, peer_go, peer_stop

enum { COLD, PROBED, WARM, KNOWN_, EQUAL_, LEASTCONN, FIRST, ROUNDROBIN, LEASTCONN_WEIGHTED,
       ROUNDROBIN_WEIGHTED, NGINX, FIRST_SORTED, PATIENT, CHOOSERS };

static const struct chooser choosers[CHOOSERS] = {
	[COLD] = { "learned, cold", "learned-cold", CHOOSER_OURS, .fresh = true, .speeds = LEARNED },
	[PROBED] = { "learned, cold but probed", "learned-probed", CHOOSER_OURS, .fresh = true, .probed = true, .speeds = LEARNED },
	[WARM] = { "learned, second batch", "learned", CHOOSER_OURS, .speeds = LEARNED },
	[KNOWN_] = { "known (speed=)", "known", CHOOSER_OURS, .fresh = true, .speeds = KNOWN },
	[EQUAL_] = { "equal (speed=1)", "equal", CHOOSER_OURS, .fresh = true, .speeds = EQUAL },
	[LEASTCONN] = { "haproxy leastconn", "leastconn", CHOOSER_PEER(leastconn) },
	[FIRST] = { "haproxy first", "first", CHOOSER_PEER(first) },
	[ROUNDROBIN] = { "haproxy roundrobin", "roundrobin", CHOOSER_PEER(roundrobin) },
	[LEASTCONN_WEIGHTED] = { "haproxy leastconn, weights", "leastconn-weighted", CHOOSER_PEER(weighted_leastconn) },
	[ROUNDROBIN_WEIGHTED] = { "haproxy roundrobin, weights", "roundrobin-weighted", CHOOSER_PEER(weighted_roundrobin) },
	[NGINX] = { "nginx least_conn, weights", "nginx", CHOOSER_PEER(nginx) },
	[FIRST_SORTED] = { "haproxy first, list sorted", "first-sorted", CHOOSER_PEER(first), .sorted = true },
	[PATIENT] = { "known, patient (not shipped)", "patient", patient_start, patient_come, patient_go, peer_stop,
		      .more = patient_more },
};

struct load {
	const char *name;
	double part;           /* of the cores, that jobs run or wait for at once */
	bool bursts;
};

static unsigned parallel_of(const struct load *load, const struct farm_kind *farm)
{
	double cores[CORES_MOST] = { 0 };

	return (unsigned)(cores_of(farm, cores) * load->part);
}

/* Puts the node list of a batch into the order of speed. */
static void sort_nodes(struct batch *batch)
{
	for (unsigned i = 0; i < batch->farm->n; i++) {
		unsigned j = i;

		for (; j > 0 && batch->farm->kinds[batch->order[j - 1]].speed < batch->farm->kinds[i].speed; j--)
			batch->order[j] = batch->order[j - 1];
		batch->order[j] = i;
	}
}

static struct outcome run(unsigned which, const struct batch *batch, const struct load *load, unsigned number)
{
	unsigned parallel = parallel_of(load, batch->farm);
	struct batch mine = *batch, before;
	struct outcome outcome;

	ours = &choosers[which];
	seed(number + 1000000);
	if (ours->sorted)
		sort_nodes(&mine);
	if (which == WARM) {
		/* Another batch on the same farm, ten minutes ago. */
		batch_make(&before, batch->farm, batch->n, number + 500000);
		(void)memcpy(before.order, mine.order, sizeof(before.order));
		(void)simulate(ours, &before, parallel, load->bursts);
		clock_usec += 600 * USEC_PER_SEC;
		free(before.jobs);
	}
	outcome = simulate(ours, &mine, parallel, load->bursts);
	score = score_close(score);
	return outcome;
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), compare);
	return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

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

static double *numbers(unsigned n)
{
	double *items = calloc(n, sizeof(*items));

	if (!items)
		fail("%s", strerror(ENOMEM));
	return items;
}

static bool is_peer(unsigned which)
{
	return which >= LEASTCONN && which <= NGINX;
}

static void measure(const struct farm_kind *farm, const struct load *load, unsigned n_jobs, unsigned seeds)
{
	double *times[CHOOSERS], *means[CHOOSERS], *tails[CHOOSERS], *bounds = numbers(seeds), middle[CHOOSERS], spread[2];
	unsigned best = LEASTCONN, parallel = parallel_of(load, farm);
	char name[64];

	(void)snprintf(name, sizeof(name), "%s%s%s", farm == farms ? "" : farm->word, farm == farms ? "" : "-", load->name);
	for (unsigned i = 0; i < CHOOSERS; i++) {
		times[i] = numbers(seeds);
		means[i] = numbers(seeds);
		tails[i] = numbers(seeds);
	}
	for (unsigned number = 0; number < seeds; number++) {
		struct batch batch;

		batch_make(&batch, farm, n_jobs, number + 1);
		bounds[number] = load->bursts ? bursts_bound(&batch, parallel) : batch_bound(&batch, parallel);
		(void)printf("RUN\t%s\tbound\t%u\t%.3f\n", name, number + 1, bounds[number] / 1e6);
		for (unsigned i = 0; i < CHOOSERS; i++) {
			struct outcome outcome = run(i, &batch, load, number + 1);

			times[i][number] = outcome.usec;
			means[i][number] = outcome.mean;
			tails[i][number] = outcome.p99;
			(void)printf("RUN\t%s\t%s\t%u\t%.3f\n", name, choosers[i].word, number + 1, outcome.usec / 1e6);
		}
		free(batch.jobs);
	}
	for (unsigned i = 0; i < CHOOSERS; i++) {
		middle[i] = ratio(times[i], bounds, seeds, spread);
		(void)printf("TIME\t%s\t%u\t%u\t%s\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\n", name, parallel, n_jobs, choosers[i].name,
			     middle[i], spread[0], spread[1], median(means[i], seeds), median(tails[i], seeds));
		if (is_peer(i) && middle[i] < middle[best])
			best = i;
	}
	if (load->part <= 0.25 && !load->bursts) {
		goal(name, "learned, cold / bound", middle[COLD], 1.05);
		goal(name, "learned, second batch / bound", middle[WARM], 1.05);
		goal(name, "known / bound", middle[KNOWN_], 1.05);
	}
	for (unsigned i = COLD; i <= KNOWN_; i++) {
		char what[128];

		if (i == PROBED)
			continue;
		(void)snprintf(what, sizeof(what), "%s / %s", choosers[i].name, choosers[best].name);
		goal(name, what, ratio(times[i], times[best], seeds, spread), 0.95);
	}
	for (unsigned i = 0; i < CHOOSERS; i++) {
		free(times[i]);
		free(means[i]);
		free(tails[i]);
	}
	free(bounds);
}

int main(int argc, char **argv)
{
	static const struct load loads[] = {
		{ "light", 0.25, false }, { "middle", 0.5, false }, { "heavy", 0.9, false }, { "full", 1.5, false },
		{ "bursts", 0.5, true },
	};
	long n_jobs = argc >= 4 ? strtol(argv[2], NULL, 10) : 0, seeds = argc >= 4 ? strtol(argv[3], NULL, 10) : 0;
	bool found = false;

	if (argc > 5 || n_jobs < 1 || n_jobs > 1000000 || seeds < 1 || seeds > 1000) {
		(void)fprintf(stderr, "Usage: cbbench-farm SCOREBOARD JOBS SEEDS [FARM]\n");
		return 64;
	}
	path = argv[1];
	for (size_t i = 0; i < sizeof(farms) / sizeof(farms[0]); i++) {
		if (argc == 5 && strcmp(argv[4], farms[i].word) != 0)
			continue;
		found = true;
		(void)printf("FARM\t%s\t%s\n", farms[i].word, farms[i].name);
		for (size_t j = 0; j < sizeof(loads) / sizeof(loads[0]); j++)
			measure(&farms[i], &loads[j], (unsigned)n_jobs, (unsigned)seeds);
	}
	(void)unlink(path);
	if (!found)
		fail("there is no farm \"%s\"", argc == 5 ? argv[4] : "");
	return 0;
}
