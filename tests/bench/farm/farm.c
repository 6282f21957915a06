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
#define FAIL_USEC 20000.0                 /* how long a failing node takes to end a connection */
#define RETRY_USEC (30 * USEC_PER_SEC)    /* cbrelay's --retry-after */
#define TRIES_MOST 10u                    /* a client gives a job up that has failed so often */
#define PATIENCE_USEC USEC_PER_SEC        /* cbrelay's --patience */
#define PASS_USEC (30 * USEC_PER_SEC)     /* of the prober */

#define KINDS(...) (const struct kind[]){ __VA_ARGS__ }, sizeof((const struct kind[]){ __VA_ARGS__ }) / sizeof(struct kind)
#define NO_NODE NODES_MOST

/* The first is that of the goals in the table. */
static const struct farm_kind farms[] = {
	{ "16 cores of speed 4, 8 of 2, 8 and 4 of 1, 4 of 0.5", "mixed",
	  KINDS({ 16, 4, 1 }, { 8, 2, 1 }, { 8, 1, 1 }, { 4, 1, 1 }, { 4, 0.5, 1 }), NO_NODE, NO_NODE },
	{ "two fast nodes, 8 cores of speed 3, and six slow ones, 4 of 1", "two-fast",
	  KINDS({ 8, 3, 1 }, { 8, 3, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }),
	  NO_NODE, NO_NODE },
	{ "one big node, 32 cores of speed 1, and eight small ones, 2 of 2", "one-big",
	  KINDS({ 32, 1, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }, { 2, 2, 1 }),
	  NO_NODE, NO_NODE },
	{ "four nodes, 16 threads of speed 2, 2, 1.5 and 1, of which the second half adds three tenths", "threads",
	  KINDS({ 16, 2, 0.3 }, { 16, 2, 0.3 }, { 16, 1.5, 0.3 }, { 16, 1, 0.3 }), NO_NODE, NO_NODE },
	{ "the two fast nodes and six slow ones, of which a fast one slows to a quarter half-way", "slows",
	  KINDS({ 8, 3, 1 }, { 8, 3, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }), 0, NO_NODE },
	{ "the two fast nodes and six slow ones, of which a fast one fails every job at once from half-way on", "fails",
	  KINDS({ 8, 3, 1 }, { 8, 3, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }, { 4, 1, 1 }), NO_NODE, 0 },
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

uint64_t farm_now_usec(void)
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

double farm_uniform(void)
{
	/* xorshift64*: the same numbers on every machine. */
	chance ^= chance >> 12;
	chance ^= chance << 25;
	chance ^= chance >> 27;
	return ((double)(chance * UINT64_C(2685821657736338717) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(farm_uniform())) * cos(2 * M_PI * farm_uniform());
}

static void seed(unsigned n)
{
	chance = n * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (int i = 0; i < 8; i++)
		(void)farm_uniform();
}

/* ---- waiting jobs ---- */

void fifo_push(struct fifo *fifo, unsigned job)
{
	if (fifo->n == FIFO_MOST)
		fail("too many jobs wait");
	fifo->jobs[(fifo->first + fifo->n++) % FIFO_MOST] = job;
}

unsigned fifo_pop(struct fifo *fifo)
{
	unsigned job = fifo->jobs[fifo->first];

	fifo->first = (fifo->first + 1) % FIFO_MOST;
	fifo->n--;
	return job;
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
		unsigned j = (unsigned)(farm_uniform() * (i + 1)), other = batch->order[i];

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
 * and at least the longest job. No node slows or fails. */
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
static bool late;                      /* the node that slows, or fails, does so now */
static struct fifo waiting;

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
	score_set_patience(score, chooser->patient ? PATIENCE_USEC : 0);
}

/* Does a pass of the prober: node ids begin with 1 and follow the list. */
static void pass(const struct batch *batch)
{
	for (unsigned i = 0; i < batch->farm->n; i++) {
		struct score_verdict verdict = { .success = true, .rise = 1, .fall = 1, .shallow = !ours->probed };
		struct score_edge edge;

		/* A connect works at a node that fails its jobs, and a compile does not. */
		if (ours->probed && late && batch->order[i] == batch->farm->fails) {
			verdict.success = false;
			verdict.reason = REASON_SILENT;
		} else if (ours->probed)
			verdict.work_usec = (uint64_t)((60e3 / kind_at(batch, i)->speed + 10e3) * exp(0.1 * normal()));
		if (score_verdict(score, i + 1, &verdict, &edge) < 0)
			fail("no verdict");
	}
	if (score_reap(score, NULL, NULL) < 0)
		fail("no look");
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
	waiting = (struct fifo){ .n = 0 };
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
	fifo_push(&waiting, job);
	return -1;
}

/* In how long slots are not kept any more. */
static double ours_due(void)
{
	uint64_t until_usec = waiting.n > 0 ? score_kept_until(score) : 0;

	return until_usec ? (double)(until_usec > clock_usec ? until_usec - clock_usec : 0) + 1 : INFINITY;
}

static int ours_more(const struct batch *batch, unsigned *ret_place)
{
	unsigned next = waiting.jobs[waiting.first];
	struct score_target target;

	(void)batch;
	if (score_kept_until(score) > 0 && score_kept_until(score) <= clock_usec && score_deal(score) < 0)
		fail("no deal");
	if (waiting.n == 0 || score_take(score, &tickets[next], &slots[next], &target) != 0)
		return -1;
	*ret_place = slots[next].node - 1;
	return (int)fifo_pop(&waiting);
}

static int ours_go(unsigned job, unsigned place, bool failed, const struct batch *batch, unsigned *ret_place)
{
	struct score_edge edge;
	int r;

	(void)place;
	if (failed)
		r = score_doubted(score, &slots[job], batch->jobs[job].in, REASON_SILENT, RETRY_USEC, &edge);
	else
		r = score_release(score, &slots[job], batch->jobs[job].in, batch->jobs[job].out, true);
	if (r < 0)
		fail("no release: %s", score_strerror(r));
	if (waiting.n == 0)
		return -1;
	job = (unsigned)ours_more(batch, ret_place);
	if ((int)job < 0 && !ours->patient && batch->farm->fails == NO_NODE)
		fail("a slot is free, and the oldest waiter did not get it");
	return (int)job;
}

static void ours_stop(void)
{
	free(slots);
	free(tickets);
}

/* ---- the simulation ---- */

struct running {
	double left_usec;      /* work; of a job that fails: time */
	bool fails;
	double come_usec;      /* when the job came */
	unsigned job, place;
};

static struct running running[CORES_MOST];
static unsigned n_running, busy[NODES_MOST];

/* Times of single jobs over what each takes on the fastest core: sum, and each, for the 99th percentile. */
struct outcome {
	double usec;
	double mean, p99;
	double failed, lost;   /* connections, and jobs that their clients gave up, for each job */
};

static void run_job(const struct batch *batch, unsigned job, unsigned place, bool fails, double come_usec)
{
	if (busy[place]++ == kind_at(batch, place)->cores)
		fail("a node has more connections than cores");
	running[n_running++] = (struct running){
		.left_usec = fails ? FAIL_USEC : batch->jobs[job].work_usec, .fails = fails, .come_usec = come_usec,
		.job = job, .place = place,
	};
}

/* What a node's cores do for each of its jobs. */
static double speed_now(const struct batch *batch, unsigned place)
{
	const struct kind *kind = kind_at(batch, place);
	unsigned half = (kind->cores + 1) / 2, n = busy[place];
	double all = n <= half ? n : half + (n - half) * kind->smt;

	return kind->speed * all / n * (late && batch->order[place] == batch->farm->slows ? 0.25 : 1);
}

/* How fast a job's left_usec becomes less. */
static double pace(const struct batch *batch, const struct running *job)
{
	return job->fails ? 1 : speed_now(batch, job->place);
}

/* Lets time pass until the next job ends, or for most_usec if that is sooner. Whether a job has ended; that is *ret. */
static bool next_end(const struct batch *batch, double most_usec, double *now_usec, struct running *ret)
{
	double pass_usec = most_usec;
	unsigned first = n_running;

	for (unsigned i = 0; i < n_running; i++) {
		double left = running[i].left_usec / pace(batch, &running[i]);

		if (left < pass_usec) {
			pass_usec = left;
			first = i;
		}
	}
	for (unsigned i = 0; i < n_running; i++)
		running[i].left_usec -= pass_usec * pace(batch, &running[i]);
	*now_usec += pass_usec;
	if (first == n_running)
		return false;
	*ret = running[first];
	running[first] = running[--n_running];
	busy[ret->place]--;
	return true;
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

/* A batch on its way. */
struct progress {
	const struct chooser *chooser;
	const struct batch *batch;
	double *come_usec;         /* of each job */
	unsigned *tries;           /* that failed, of each job */
	unsigned done, failed, lost;
	double now_usec;
};

/* The job has a place, if that is not below 0. */
static void begin(const struct progress *p, unsigned job, int place)
{
	if (place >= 0)
		run_job(p->batch, job, (unsigned)place, late && p->batch->order[place] == p->batch->farm->fails,
			p->come_usec[job]);
}

/* Runs the jobs that have waited, and get a place now. */
static void begin_more(const struct progress *p)
{
	unsigned place;
	int job;

	while (p->chooser->more && (job = p->chooser->more(p->batch, &place)) >= 0)
		begin(p, (unsigned)job, (int)place);
}

/* A job has ended. If the node has failed it, its client tries again at once. Returns whether it is done. */
static bool end(struct progress *p, const struct running *job)
{
	bool again = job->fails && ++p->tries[job->job] < TRIES_MOST;
	unsigned place;
	int next = p->chooser->go(job->job, job->place, job->fails, p->batch, &place);

	if (next >= 0)
		begin(p, (unsigned)next, (int)place);
	begin_more(p);
	p->failed += job->fails;
	p->lost += job->fails && !again;
	if (again) {
		begin(p, job->job, p->chooser->come(job->job, p->batch));
		begin_more(p);
	}
	return !again;
}

/* Runs the whole batch: parallel jobs at once; or in bursts of so many, each when the burst before has ended. */
static struct outcome simulate(const struct chooser *chooser, const struct batch *batch, unsigned parallel, bool bursts)
{
	double *stretches = calloc(batch->n, sizeof(*stretches)), fastest = fastest_of(batch->farm);
	struct progress p = {
		.chooser = chooser, .batch = batch, .come_usec = calloc(batch->n, sizeof(*p.come_usec)),
		.tries = calloc(batch->n, sizeof(*p.tries)),
	};
	uint64_t begun_usec;
	struct outcome outcome;
	unsigned next = 0;

	if (!stretches || !p.come_usec || !p.tries)
		fail("%s", strerror(ENOMEM));
	n_running = 0;
	late = false;
	(void)memset(busy, 0, sizeof(busy));
	chooser->start(batch);
	begun_usec = clock_usec; /* the start may have taken time */
	while (p.done < batch->n) {
		bool all = !bursts || next == p.done, ended;
		struct running job;

		for (; all && next < batch->n && next - p.done < parallel; next++) {
			p.come_usec[next] = p.now_usec;
			begin(&p, next, chooser->come(next, batch));
		}
		begin_more(&p);
		ended = next_end(batch, chooser->due ? chooser->due() : INFINITY, &p.now_usec, &job);
		clock_usec = begun_usec + (uint64_t)p.now_usec;
		late = p.done > batch->n / 2;
		if (ended && end(&p, &job))
			stretches[p.done++] = (p.now_usec - job.come_usec) * fastest / batch->jobs[job.job].work_usec;
	}
	chooser->stop();
	outcome = sum_up(stretches, batch->n, p.now_usec);
	outcome.failed = (double)p.failed / batch->n;
	outcome.lost = (double)p.lost / batch->n;
	free(stretches);
	free(p.come_usec);
	free(p.tries);
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

#define CHOOSER_OURS ours_start, ours_come, ours_go, ours_stop, .more = ours_more
#define CHOOSER_PEER(policy) peer_start, policy##_come, peer_go, peer_stop

enum { COLD, PROBED, WARM, KNOWN_, EQUAL_, LEASTCONN, FIRST, ROUNDROBIN, LEASTCONN_WEIGHTED,
       ROUNDROBIN_WEIGHTED, NGINX, FIRST_SORTED, CHANCE, PATIENT, PATIENT_KNOWN, CHOOSERS };

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
	[CHANCE] = { "any free slot, by chance", "chance", CHOOSER_PEER(chance) },
	[PATIENT] = { "learned, second, --patience", "patient", CHOOSER_OURS, .due = ours_due, .speeds = LEARNED, .patient = true },
	[PATIENT_KNOWN] = { "known (speed=), --patience", "patient-known", CHOOSER_OURS, .due = ours_due, .fresh = true, .speeds = KNOWN,
			    .patient = true },
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
	if (which == WARM || which == PATIENT) {
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

/* least: what could be reached at best. */
static void goal(const char *load, const char *what, double is, double limit, double least)
{
	(void)printf("GOAL\t%s\t%s\t%.3f\t%.2f\t%s\t%.3f\n", load, what, is, limit,
		     is <= limit ? "reached" : least > limit ? "out of reach" : "missed", least);
}

/*
 * The least part of a peer's time that could be reached: by any choice of nodes, the
 * bound's part. With as many jobs at once as cores, a policy that keeps no job waiting
 * while a slot is free has no choice: the first jobs fill all slots, and each later job
 * gets the slot that has just come free. Only which of the first jobs gets which slot
 * differs, and as no program knows how long they take, each order is as good as any other:
 * the times of all such policies are one distribution, and the part is 1.
 */
static double least_part(const struct farm_kind *farm, const struct load *load, const double *bounds, const double *peer,
			 unsigned seeds)
{
	double cores[CORES_MOST] = { 0 }, spread[2];

	return parallel_of(load, farm) >= cores_of(farm, cores) ? 1 : ratio(bounds, peer, seeds, spread);
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

/* What the batches of a farm and load took by each way: by seed. */
struct series {
	double *usec, *mean, *p99;
	double *failed, *lost; /* of 100 jobs */
};

static void measure_seed(const struct farm_kind *farm, const struct load *load, const char *name, unsigned n_jobs, unsigned i,
			 struct series series[CHOOSERS], double *bounds)
{
	unsigned parallel = parallel_of(load, farm);
	struct batch batch;

	batch_make(&batch, farm, n_jobs, i + 1);
	bounds[i] = load->bursts ? bursts_bound(&batch, parallel) : batch_bound(&batch, parallel);
	(void)printf("RUN\t%s\tbound\t%u\t%.3f\n", name, i + 1, bounds[i] / 1e6);
	for (unsigned which = 0; which < CHOOSERS; which++) {
		struct outcome outcome;

		outcome = run(which, &batch, load, i + 1);
		series[which].usec[i] = outcome.usec;
		series[which].mean[i] = outcome.mean;
		series[which].p99[i] = outcome.p99;
		series[which].failed[i] = 100 * outcome.failed;
		series[which].lost[i] = 100 * outcome.lost;
		(void)printf("RUN\t%s\t%s\t%u\t%.3f\n", name, choosers[which].word, i + 1, outcome.usec / 1e6);
		if (farm->fails != NO_NODE)
			(void)printf("FAILED\t%s\t%s\t%u\t%.2f\t%.0f\n", name, choosers[which].word, i + 1, 100 * outcome.failed,
				     outcome.lost * n_jobs);
	}
	free(batch.jobs);
}

/* Times say little where jobs were lost: there the goal is that none is. */
static void goals(const struct farm_kind *farm, const struct load *load, const char *name, struct series series[CHOOSERS],
		  const double *bounds, unsigned seeds, unsigned best)
{
	double spread[2];

	for (unsigned i = COLD; i <= KNOWN_; i++) {
		char what[128];

		if (i == PROBED)
			continue;
		if (farm->fails != NO_NODE) {
			(void)snprintf(what, sizeof(what), "%s: jobs lost of 100", choosers[i].name);
			goal(name, what, median(series[i].lost, seeds), 0, 0);
			continue;
		}
		if (load->part <= 0.25 && !load->bursts) {
			(void)snprintf(what, sizeof(what), "%s / bound", choosers[i].name);
			goal(name, what, ratio(series[i].usec, bounds, seeds, spread), 1.05, 1);
		}
		(void)snprintf(what, sizeof(what), "%s / %s", choosers[i].name, choosers[best].name);
		goal(name, what, ratio(series[i].usec, series[best].usec, seeds, spread), 0.95,
		     least_part(farm, load, bounds, series[best].usec, seeds));
	}
}

static void measure(const struct farm_kind *farm, const struct load *load, unsigned n_jobs, unsigned seeds)
{
	double *bounds = numbers(seeds), best_middle = INFINITY;
	struct series series[CHOOSERS];
	unsigned best = LEASTCONN;
	char name[64];

	(void)snprintf(name, sizeof(name), "%s%s%s", farm == farms ? "" : farm->word, farm == farms ? "" : "-", load->name);
	for (unsigned i = 0; i < CHOOSERS; i++)
		series[i] = (struct series){
			numbers(seeds), numbers(seeds), numbers(seeds), numbers(seeds), numbers(seeds),
		};
	for (unsigned i = 0; i < seeds; i++)
		measure_seed(farm, load, name, n_jobs, i, series, bounds);
	for (unsigned i = 0; i < CHOOSERS; i++) {
		double spread[2], middle;

		middle = ratio(series[i].usec, bounds, seeds, spread);
		(void)printf("TIME\t%s\t%u\t%u\t%s\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f", name, parallel_of(load, farm), n_jobs,
			     choosers[i].name, middle, spread[0], spread[1], median(series[i].mean, seeds),
			     median(series[i].p99, seeds));
		if (farm->fails != NO_NODE)
			(void)printf("\t%.2f\t%.2f", median(series[i].failed, seeds), median(series[i].lost, seeds));
		(void)printf("\n");
		if (is_peer(i) && middle < best_middle) {
			best = i;
			best_middle = middle;
		}
	}
	goals(farm, load, name, series, bounds, seeds, best);
	for (unsigned i = 0; i < CHOOSERS; i++) {
		free(series[i].usec);
		free(series[i].mean);
		free(series[i].p99);
		free(series[i].failed);
		free(series[i].lost);
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
