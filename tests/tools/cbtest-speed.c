/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-speed.c: learned speeds.
 *
 *     cbtest-speed [SEED]
 * tests the statements of corebalance(7) about learned speeds, and prints a line
 * for each statement that holds.
 *
 *     cbtest-speed FILE ROUNDS IN OUT SERVED USEC...
 * uses a scoreboard with the node ids 1, 2 and so on: in each round all free
 * slots are claimed, and released after the USEC of their node. The linker
 * (--wrap) replaces the library's clock by that of this file, which begins now.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scoreboard.h"
#include "records/speed.h"
#include "system/timespan.h"

#define HOUR_USEC SPEED_HALF_LIFE_USEC
#define NODES_HERE 64u

static uint64_t clock_usec;

uint64_t __wrap_now_boottime(void);
uint64_t __wrap_now_boottime(void)
{
	return clock_usec;
}

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)fprintf(stderr, "cbtest-speed: ");
	(void)vfprintf(stderr, format, ap);
	(void)fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

#define MUST(condition, ...) \
	do { \
		if (!(condition)) { \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			fail(__VA_ARGS__); \
		} \
	} while (0)

/* ---- chance: the same on every machine ---- */

static uint64_t chance = 88172645463325252u;

static uint64_t any(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance;
}

/* A number that is about normally distributed, with deviation 1: the sum of twelve from -0.5 to 0.5. */
static double normal(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += (double)(any() >> 11) / 9007199254740992.0;
	return sum;
}

/* ---- the statements ---- */

/* log2 without libm: bit by bit, by squaring. */
static double exact_log2(uint64_t value)
{
	int whole = 63 - __builtin_clzll(value);
	double rest = (double)value / (double)(UINT64_C(1) << whole), result = whole, bit = 1;

	for (int i = 0; i < 30; i++) {
		bit /= 2;
		rest *= rest;
		if (rest >= 2) {
			rest /= 2;
			result += bit;
		}
	}
	return result;
}

static void logarithms(void)
{
	uint32_t before = 0;

	for (uint64_t value = 1; value < UINT64_C(1) << 40; value += value / 97 + 1) {
		uint32_t log = speed_log2(value);
		double wrong = log / (double)SPEED_OCTAVE - exact_log2(value);

		MUST(log >= before, "log2 falls at %llu", (unsigned long long)value);
		MUST(wrong < 0.008 && wrong > -0.008, "log2(%llu) is wrong by %f", (unsigned long long)value, wrong);
		before = log;
	}
	MUST(speed_log2(1) == 0 && speed_log2(1024) == 10 * SPEED_OCTAVE, "powers of 2 are exact");
	MUST(speed_log2(UINT64_MAX) <= 64u * SPEED_OCTAVE, "the greatest is below 64");
	for (int32_t step = -SPEED_STEPS_MAX; step < SPEED_STEPS_MAX; step++)
		MUST(speed_exp2(step * SPEED_STEP) < speed_exp2((step + 1) * SPEED_STEP), "exp2 rises");
	for (int32_t octaves = -4 * SPEED_OCTAVE; octaves <= 4 * SPEED_OCTAVE; octaves += 1111) {
		double back = exact_log2(speed_exp2(octaves)) - exact_log2(1000) - octaves / (double)SPEED_OCTAVE;

		MUST(back < 0.02 && back > -0.02, "exp2(%d) is wrong by %f octaves", octaves, back);
	}
}

static void classes(void)
{
	unsigned before = 0;

	MUST(speed_bytes_class(0) == 0 && speed_bytes_class(1) == 1, "none, and one");
	MUST(speed_bytes_class(3) == 1 && speed_bytes_class(4) == 2, "small ones");
	MUST(speed_bytes_class(UINT64_MAX) == SPEED_CLASSES - 1, "the last has no end");
	for (uint64_t bytes = 1; bytes < UINT64_C(1) << 50; bytes *= 2) {
		unsigned class = speed_bytes_class(bytes);

		MUST(class >= before && class <= before + 1, "classes rise by one");
		MUST(class < 2 || class == SPEED_CLASSES - 1 || UINT64_C(1) << (2 * class - 2) <= bytes, "the beginning");
		before = class;
	}
}

/* usec * 2 ^ octaves, exact enough for noise. */
static double scaled(double usec, double octaves)
{
	return octaves >= 0 ? usec * (1 + octaves * (0.65 + octaves * 0.35)) : usec / (1 - octaves * (0.65 - octaves * 0.35));
}

/* In each of samples rounds a job begins on each node at once. The jobs are alike but for noise, in octaves; their ends
 * come in order. */
static void serve(struct speed *nodes, unsigned n, const unsigned *usecs, unsigned samples, double noise,
		  struct speed_class *class)
{
	for (unsigned i = 0; i < samples; i++) {
		uint64_t begun_usec = clock_usec, ends[NODES_HERE];

		for (unsigned node = 0; node < n; node++)
			ends[node] = begun_usec + (uint64_t)scaled(usecs[node], noise * normal());
		for (unsigned done = 0; done < n; done++) {
			unsigned next = 0;

			for (unsigned node = 1; node < n; node++)
				if (ends[node] < ends[next])
					next = node;
			clock_usec = ends[next];
			speed_learn_hold(&nodes[next], class, next + 1, SPEED_UNPINNED, clock_usec - begun_usec, clock_usec);
			(void)speed_settle(&nodes[next], clock_usec);
			ends[next] = UINT64_MAX;
		}
		clock_usec += 1000;
	}
}

static double octaves_of(const struct speed *speed)
{
	return speed_octaves(speed, clock_usec) / (double)SPEED_OCTAVE;
}

static void ratios(void)
{
	struct speed nodes[4] = { 0 };
	struct speed_class class = { 0 };

	serve(nodes, 4, (const unsigned[]){ 100000, 200000, 400000, 1600000 }, 2000, 0.3, &class);
	for (unsigned i = 0; i < 3; i++)
		MUST(nodes[i].step > nodes[i + 1].step, "node %u is faster than the next", i);
	MUST(octaves_of(&nodes[0]) - octaves_of(&nodes[2]) > 1.4 && octaves_of(&nodes[0]) - octaves_of(&nodes[2]) < 2.2,
	     "four times as fast is two octaves, not %f", octaves_of(&nodes[0]) - octaves_of(&nodes[2]));
}

/* The longer a job takes, the slower the node is rated, whatever was known before. */
static void monotone(void)
{
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t usec = USEC_PER_MSEC + any() % USEC_PER_SEC;
		struct speed one = { .hold = { (int32_t)(any() % 20000) - 10000, (uint32_t)(any() % SPEED_HOLDS_MAX),
					       (uint32_t)(any() % 1000), 0, clock_usec } };
		struct speed_class t = { { { 2, (uint32_t)((clock_usec - usec) / 1000),
					     (int32_t)speed_log2(usec), (int32_t)(any() % 20000) - 10000, 0, 0, 0 } } }, u = t;
		struct speed other = one;

		speed_learn_hold(&one, &t, 1, SPEED_UNPINNED, usec, clock_usec);
		speed_learn_hold(&other, &u, 1, SPEED_UNPINNED, usec + usec / 3, clock_usec + usec / 3);
		MUST(t.latest[0].n_found == 1 && u.latest[0].n_found == 1, "they are compared");
		MUST(other.hold.octaves <= one.hold.octaves, "longer is slower");
		MUST(u.latest[0].found >= t.latest[0].found, "and makes the other faster");
	}
}

static void bounded(void)
{
	struct speed node = { 0 };
	struct speed_row row = { 0 };

	for (unsigned i = 0; i < 200000; i++) {
		uint64_t usec = any() >> (any() % 64), now_usec = any() >> (any() % 64);
		struct speed_class *class = &row.cells[any() % SPEED_CLASSES];
		uint32_t id = 1 + (uint32_t)(any() % 2);
		int32_t pin = any() % 2 ? SPEED_UNPINNED : speed_pin((double)(any() % 1000000) / 1000 + 0.001);

		if (any() % 4)
			speed_learn_hold(&node, class, id, pin, usec, now_usec);
		else
			speed_learn_compile(&node, class, id, pin, usec, now_usec);
		(void)speed_settle(&node, any());
		MUST(speed_check(&node) == 0 && speed_row_check(&row) == 0, "step %u: it cannot be true", i);
		MUST(speed_value(&node) >= 100 && speed_value(&node) <= 10000, "step %u: %u", i, speed_value(&node));
	}
	/* Samples of a damaged record. */
	for (unsigned i = 0; i < 20000; i++) {
		struct speed_class broken;

		for (unsigned j = 0; j < SPEED_LATEST; j++)
			broken.latest[j] = (struct speed_sample){ (uint32_t)(any() % 3), (uint32_t)any(), (int32_t)any(),
								  (int32_t)any(), (int32_t)any(), (uint16_t)any(), (uint16_t)any() };
		speed_learn_hold(&node, &broken, 1, SPEED_UNPINNED, any() >> (any() % 64), any());
		MUST(speed_check(&node) == 0, "a damaged row");
	}
}

static void outliers(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_class class = { 0 };

	serve(nodes, 2, (const unsigned[]){ 100000, 200000 }, 500, 0.3, &class);
	for (unsigned i = 0; i < 2; i++) {
		double before = octaves_of(&nodes[0]), after;

		class = (struct speed_class){ { { 2, (uint32_t)(clock_usec / 1000), (int32_t)speed_log2(i ? 1 : 100000000), 0, 0, 0, 0 } } };
		speed_learn_hold(&nodes[0], &class, 1, SPEED_UNPINNED, i ? 60 * USEC_PER_SEC : 1000, clock_usec + (i ? 60 * USEC_PER_SEC : 1000));
		after = octaves_of(&nodes[0]);
		MUST(after - before < 0.1 && before - after < 0.1, "one that is far off: from %f to %f", before, after);
	}
}

static void short_ones(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_class class = { 0 };

	serve(nodes, 2, (const unsigned[]){ 20, 900 }, 500, 0, &class);
	MUST(nodes[0].step == 0 && nodes[1].step == 0, "below a millisecond all are alike");
}

/* The fast node gets all the work for a long time: its speed must not be forgotten. */
static void alone(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_class class = { 0 };
	double before;

	serve(nodes, 2, (const unsigned[]){ 100000, 400000 }, 500, 0.3, &class);
	before = octaves_of(&nodes[0]);
	serve(nodes, 1, (const unsigned[]){ 100000 }, 100000, 0.3, &class);
	MUST(octaves_of(&nodes[0]) > before - 0.15 && octaves_of(&nodes[0]) < before + 0.15,
	     "it was %f and is %f", before, octaves_of(&nodes[0]));
}

/* A node that is alone in the class keeps speed 1, however long its connections take. */
static void nobody_else(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_class class = { 0 };

	for (unsigned times = 1; times <= 1000; times *= 10) {
		serve(nodes, 1, (const unsigned[]){ 2000000 }, times, 0.3, &class);
		serve(nodes, 1, (const unsigned[]){ 20000 }, 300, 0.3, &class);
		MUST(nodes[0].step == 0 && nodes[0].hold.octaves == 0 && nodes[0].hold.weight == 0, "%u slow ones", times);
	}
	serve(nodes, 2, (const unsigned[]){ 20000, 80000 }, 50, 0.3, &class);
	MUST(octaves_of(&nodes[0]) - octaves_of(&nodes[1]) > 1.2, "one that is slower is known to be, by %f",
	     octaves_of(&nodes[0]) - octaves_of(&nodes[1]));
}

static void decay(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_class class = { 0 };
	int32_t before;
	uint32_t weight;

	serve(nodes, 2, (const unsigned[]){ 100000, 800000 }, 500, 0, &class);
	clock_usec = nodes[0].hold.stamp_usec;
	weight = speed_weight(&nodes[0].hold, clock_usec);
	MUST(weight >= SPEED_HOLDS_MAX - SPEED_WEIGHT, "64 comparisons, not %u", weight);
	MUST(speed_weight(&nodes[0].hold, clock_usec + HOUR_USEC) == weight / 2, "an hour");
	MUST(speed_weight(&nodes[0].hold, clock_usec + HOUR_USEC / 2) <= weight / 4 * 3 + 4, "half an hour, on a line");
	MUST(speed_weight(&nodes[0].hold, clock_usec - HOUR_USEC) == weight, "a clock that was set back");
	before = speed_octaves(&nodes[0], clock_usec);
	MUST(before > SPEED_OCTAVE && speed_octaves(&nodes[1], clock_usec) < -SPEED_OCTAVE, "they differ");
	for (unsigned hour = 1; hour < 40; hour++) {
		int32_t now = speed_octaves(&nodes[0], clock_usec + hour * HOUR_USEC);

		MUST(now <= before && now >= 0, "hour %u", hour);
		before = now;
	}
	MUST(before == 0, "and in the end it is 1");
	for (unsigned i = 0; i < 2; i++)
		MUST(speed_settle(&nodes[i], clock_usec + 40 * HOUR_USEC) && speed_value(&nodes[i]) == 1000, "settled");
}

/* The mean of all nodes stays about 0 octaves, so that speed 1 always means the same. */
static void no_drift(void)
{
	struct speed nodes[3] = { 0 };
	struct speed_class class = { 0 };
	double sum;

	for (unsigned i = 0; i < 100; i++) {
		serve(nodes, 3, (const unsigned[]){ 100000, 200000, 400000 }, 1000, 0.5, &class);
		sum = (nodes[0].hold.octaves + nodes[1].hold.octaves + nodes[2].hold.octaves) / (3.0 * SPEED_OCTAVE);
		MUST(sum < 0.15 && sum > -0.15, "their mean is %f octaves", sum);
	}
}

static void compiles(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_class compile = { 0 }, hold = { 0 };
	int32_t by_compiles;

	for (unsigned i = 0; i < 40; i++) {
		clock_usec += 30 * USEC_PER_SEC;
		speed_learn_compile(&nodes[0], &compile, 1, SPEED_UNPINNED, 20000, clock_usec);
		speed_learn_compile(&nodes[1], &compile, 2, SPEED_UNPINNED, 80000, clock_usec);
	}
	by_compiles = speed_octaves(&nodes[0], clock_usec) - speed_octaves(&nodes[1], clock_usec);
	MUST(by_compiles > SPEED_OCTAVE * 3 / 2 && by_compiles < SPEED_OCTAVE * 5 / 2, "four times: %d", by_compiles);
	MUST(nodes[1].work_usec == 80000, "the last is kept");
	/* Connections that agree with the compiles change little, although they begin with one node alone. */
	serve(nodes, 1, (const unsigned[]){ 100000 }, 200, 0, &hold);
	serve(nodes, 2, (const unsigned[]){ 100000, 400000 }, 200, 0, &hold);
	MUST(speed_octaves(&nodes[0], clock_usec) - speed_octaves(&nodes[1], clock_usec) > by_compiles - SPEED_OCTAVE / 4,
	     "they agree");
}

/* ---- whole farms: clients, a queue, nodes with cores, the policy "fastest" ---- */

#define SIM_NODES 4u
#define SIM_CORES 16u
#define SIM_JOBS 20000u

struct sim {
	unsigned n;
	struct sim_node {
		struct speed speed;
		double truly, pin;            /* real and pinned speed; pin 0: none */
		unsigned cores, busy, served;
	} nodes[SIM_NODES];
	struct sim_run {
		uint64_t begun_usec, end_usec; /* end 0: the place is free */
		unsigned node;
	} runs[SIM_NODES * SIM_CORES];
	struct speed_class class;
	struct { uint64_t at_usec; double usec; } jobs[SIM_JOBS]; /* in the order in which they come */
	unsigned n_jobs, begun;
};

static double sim_speed(const struct sim_node *node)
{
	return node->pin > 0 ? node->pin : speed_value(&node->speed) / 1000.0;
}

/* Adds a job that comes at at_usec and takes usec on a node of speed 1. */
static void sim_job(struct sim *sim, uint64_t at_usec, double usec)
{
	MUST(sim->n_jobs < SIM_JOBS, "more room");
	sim->jobs[sim->n_jobs].at_usec = at_usec;
	sim->jobs[sim->n_jobs++].usec = usec;
}

static bool sim_begin(struct sim *sim)
{
	struct sim_node *best = NULL;
	struct sim_run *run = sim->runs;
	double usec;

	for (unsigned i = 0; i < sim->n; i++) {
		struct sim_node *node = &sim->nodes[i];
		double better = best ? sim_speed(node) - sim_speed(best) : 1;

		if (node->busy == node->cores)
			continue;
		if (better > 0 || (better == 0 && (node->cores - node->busy) * best->cores > (best->cores - best->busy) * node->cores))
			best = node;
	}
	if (!best)
		return false;
	while (run->end_usec)
		run++;
	usec = sim->jobs[sim->begun++].usec / best->truly;
	*run = (struct sim_run){ clock_usec, clock_usec + (uint64_t)usec + 1, (unsigned)(best - sim->nodes) };
	best->busy++;
	best->served++;
	return true;
}

static void sim_end(struct sim *sim, struct sim_run *run)
{
	struct sim_node *node = &sim->nodes[run->node];

	clock_usec = run->end_usec;
	run->end_usec = 0;
	node->busy--;
	speed_learn_hold(&node->speed, &sim->class, run->node + 1, node->pin > 0 ? speed_pin(node->pin) : SPEED_UNPINNED,
			 clock_usec - run->begun_usec, clock_usec);
	(void)speed_settle(&node->speed, clock_usec);
}

/* Runs all jobs; calls look() after the end of each. */
static void sim_go(struct sim *sim, void (*look)(struct sim *sim, void *arg), void *arg)
{
	for (;;) {
		struct sim_run *next = NULL;
		bool waits = sim->begun < sim->n_jobs && sim->jobs[sim->begun].at_usec <= clock_usec;

		if (waits && sim_begin(sim))
			continue;
		for (unsigned i = 0; i < SIM_NODES * SIM_CORES; i++)
			if (sim->runs[i].end_usec && (!next || sim->runs[i].end_usec < next->end_usec))
				next = &sim->runs[i];
		if (!waits && sim->begun < sim->n_jobs && (!next || sim->jobs[sim->begun].at_usec < next->end_usec)) {
			clock_usec = sim->jobs[sim->begun].at_usec;
			continue;
		}
		if (!next)
			return;
		sim_end(sim, next);
		if (look)
			look(sim, arg);
	}
}

static void sim_reset(struct sim *sim, unsigned n)
{
	(void)memset(sim, 0, sizeof(*sim));
	sim->n = n;
	for (unsigned i = 0; i < n; i++)
		sim->nodes[i] = (struct sim_node){ .truly = 1, .cores = 4 };
}

/*
 * Adds n_jobs jobs in mixes that change: phases of jobs of one length or of
 * several, all of equal bytes. They come in bursts, or one by one at a rate that
 * fills the farm more or less.
 */
static void sim_mix(struct sim *sim, uint64_t *at_usec, unsigned n_jobs)
{
	static const double lengths[] = { 5000, 20000, 100000, 700000, 4000000 };
	unsigned end = sim->n_jobs + n_jobs, cores = 0;

	for (unsigned i = 0; i < sim->n; i++)
		cores += sim->nodes[i].cores;
	while (sim->n_jobs < end) {
		unsigned first = (unsigned)(any() % 5), kinds = any() % 3 ? 1 : 2 + (unsigned)(any() % 3), left = 20 + (unsigned)(any() % 200);
		bool bursts = any() % 2;
		double load = 0.3 + (double)(any() % 100) / 100, noise = (double)(any() % 60) / 100;

		for (; left > 0 && sim->n_jobs < end; left--) {
			double usec = scaled(lengths[(first + any() % kinds) % 5], noise * normal());

			sim_job(sim, *at_usec, usec);
			if (!bursts)
				*at_usec += (uint64_t)(usec / cores / load);
			else if (left % (cores * 3) == 0)
				*at_usec += (uint64_t)(usec * 4);
		}
	}
}

struct worst {
	double low, high;
	unsigned looks, off;
};

static void look_alike(struct sim *sim, void *arg)
{
	struct worst *worst = arg;

	for (unsigned i = 0; i < sim->n; i++) {
		double speed = sim_speed(&sim->nodes[i]);

		worst->looks++;
		worst->off += speed < 0.95 || speed > 1.05;
		worst->low = speed < worst->low ? speed : worst->low;
		worst->high = speed > worst->high ? speed : worst->high;
	}
}

static struct sim sim;

static void sim_alike(void)
{
	struct worst worst = { 1, 1, 0, 0 };

	for (unsigned farm = 0; farm < 60; farm++) {
		uint64_t at_usec = clock_usec;

		sim_reset(&sim, 2 + farm % 3);
		sim_mix(&sim, &at_usec, 3000);
		sim_go(&sim, look_alike, &worst);
	}
	MUST(worst.off * 200.0 <= worst.looks, "%u of %u times a node is not within 5 %% of 1, but from %f to %f", worst.off,
	     worst.looks, worst.low, worst.high);
}

/* A node of 0.4 times the speed is rated slowest in the end, after any mix of jobs. */
static void sim_slow(void)
{
	unsigned wrong = 0;

	for (unsigned farm = 0; farm < 60; farm++) {
		uint64_t at_usec = clock_usec;
		double slow, other, third;

		sim_reset(&sim, 3);
		sim.nodes[farm % 3].truly = 0.4;
		sim_mix(&sim, &at_usec, 4000);
		sim_go(&sim, NULL, NULL);
		slow = sim_speed(&sim.nodes[farm % 3]);
		other = sim_speed(&sim.nodes[(farm + 1) % 3]);
		third = sim_speed(&sim.nodes[(farm + 2) % 3]);
		MUST(slow <= other && slow <= third, "farm %u: the slow node is %f, others %f and %f", farm, slow, other, third);
		wrong += slow > other * 0.85 || slow > third * 0.85;
	}
	MUST(wrong <= 6, "%u of 60 farms do not know the slow node", wrong);
}

/* A node becomes slow for the second third of the jobs, and is fast again for the last. */
static void sim_half_way(void)
{
	unsigned wrong = 0, stale = 0;

	for (unsigned farm = 0; farm < 40; farm++) {
		uint64_t at_usec = clock_usec;

		sim_reset(&sim, 3);
		for (unsigned part = 0; part < 3; part++) {
			sim.nodes[1].truly = part == 1 ? 0.3 : 1;
			sim_mix(&sim, &at_usec, 3000);
			sim_go(&sim, NULL, NULL);
			at_usec = clock_usec > at_usec ? clock_usec : at_usec;
			if (part == 1)
				wrong += sim_speed(&sim.nodes[1]) > 0.9 * sim_speed(&sim.nodes[0]);
			if (part == 2)
				stale += sim_speed(&sim.nodes[1]) < 0.8 * sim_speed(&sim.nodes[0]);
		}
	}
	MUST(wrong <= 18, "%u of 40 farms do not know that the node has become slow", wrong);
	MUST(stale <= 8, "%u of 40 farms do not know that it is fast again", stale);
}

/* The farm of corebalance(7): the fast node is pinned to its real speed 2.5; 32 jobs of 4 s, 100 of 0.1 s, 60 of 1 s,
 * of equal bytes. */
static void sim_readme(void)
{
	unsigned wrong = 0;

	for (unsigned farm = 0; farm < 50; farm++) {
		uint64_t at_usec = clock_usec;
		unsigned before;

		sim_reset(&sim, 2);
		sim.nodes[0].truly = sim.nodes[0].pin = 2.5;
		if (farm > 0)
			sim.nodes[0].cores = 2 + farm % 15;
		for (unsigned i = 0; i < 132; i++)
			sim_job(&sim, at_usec, scaled(i < 32 ? 4000000 : 100000, farm % 5 / 20.0 * normal()));
		sim_go(&sim, NULL, NULL);
		MUST(sim_speed(&sim.nodes[1]) > 0.5 && sim_speed(&sim.nodes[1]) < 2, "farm %u: the slow node is %f", farm,
		     sim_speed(&sim.nodes[1]));
		wrong += sim_speed(&sim.nodes[1]) < 0.7 || sim_speed(&sim.nodes[1]) > 1.45;
		before = sim.nodes[0].served;
		at_usec = clock_usec;
		for (unsigned i = 0; i < 60; i++)
			sim_job(&sim, at_usec + i * 1100000, 1000000);
		sim_go(&sim, NULL, NULL);
		MUST(sim.nodes[0].served - before == 60, "farm %u: the fast node got %u of 60", farm, sim.nodes[0].served - before);
	}
	MUST(wrong <= 3, "%u of 50 farms rate the slow node wrong", wrong);
}

/* Pinned neighbours are the scale: a node that is as fast as one of them is rated alike. */
static void sim_pinned(void)
{
	unsigned wrong = 0;

	for (unsigned farm = 0; farm < 40; farm++) {
		double truly = farm % 2 ? 2 : 0.5, speed;
		uint64_t at_usec = clock_usec;

		sim_reset(&sim, 3);
		sim.nodes[0].truly = sim.nodes[0].pin = 4;
		sim.nodes[1].truly = sim.nodes[1].pin = 1;
		sim.nodes[2].truly = truly;
		sim_mix(&sim, &at_usec, 4000);
		sim_go(&sim, NULL, NULL);
		speed = sim_speed(&sim.nodes[2]);
		wrong += speed < truly * 0.7 || speed > truly * 1.45;
	}
	MUST(wrong <= 10, "%u of 40 farms rate the node wrong", wrong);
}

static int try_all(uint64_t seed)
{
	static const struct {
		const char *statement;
		void (*try)(void);
	} statements[] = {
		{ "logarithms are right and rise", logarithms },
		{ "classes of bytes are powers of four", classes },
		{ "ratios of speeds are learned", ratios },
		{ "longer is slower", monotone },
		{ "whatever comes, speeds stay within 0.1 and 10", bounded },
		{ "outliers move little", outliers },
		{ "short times are noise", short_ones },
		{ "a node that serves alone keeps its speed", alone },
		{ "a node that has a class for itself is ordinary", nobody_else },
		{ "what is old decays to 1", decay },
		{ "1 means the same for ever", no_drift },
		{ "compiles count, and connections begin where they are", compiles },
		{ "nodes that are alike stay alike, however the mix of jobs changes", sim_alike },
		{ "a slow node is known, however the mix of jobs changes", sim_slow },
		{ "a node that becomes slow, and fast again, is known", sim_half_way },
		{ "a change of the mix of jobs makes no slow node win", sim_readme },
		{ "pinned nodes are the scale", sim_pinned },
	};

	chance = seed * 2654435761u ^ 88172645463325252u;
	clock_usec = 1000 * HOUR_USEC;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		statements[i].try();
		(void)printf("%s\n", statements[i].statement);
	}
	return 0;
}

/* ---- on a scoreboard ---- */

static uint64_t number(const char *word)
{
	char *end;
	uint64_t value = strtoull(word, &end, 10);

	if (!*word || *end)
		fail("%s: expected a number", word);
	return value;
}

/* A round: all slots are claimed, and released in the order in which their nodes are done. */
static void round_trip(struct score *s, char **usecs, unsigned n_usecs, uint64_t in, uint64_t out, bool served)
{
	struct score_slot slots[NODES_HERE];
	struct score_target target;
	uint64_t begun_usec = clock_usec, longest_usec = 0;
	unsigned n = 0;

	while (n < NODES_HERE && score_claim(s, &(struct score_arrival){ .client = "test" }, &slots[n], &target, NULL) == 0)
		n++;
	MUST(n > 0 && n < NODES_HERE, "%u slots", n);
	for (unsigned i = 0; i < n; i++) {
		uint64_t usec;

		MUST(slots[i].node >= 1 && slots[i].node <= n_usecs, "no time for node %u", slots[i].node);
		usec = number(usecs[slots[i].node - 1]);
		longest_usec = usec > longest_usec ? usec : longest_usec;
		/* Each slot is released at its own time: the library looks at the clock for nothing else here. */
		clock_usec = begun_usec + usec;
		MUST(score_release(s, &slots[i], in, out, served) == 0, "no release");
	}
	clock_usec = begun_usec + longest_usec;
}

int main(int argc, char **argv)
{
	struct score *s;
	struct timespec now;

	if (argc <= 2)
		return try_all(argc == 2 ? number(argv[1]) : 1);
	if (argc < 7)
		fail("expected SEED or nothing, or FILE ROUNDS IN OUT SERVED USEC...");
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	clock_usec = (uint64_t)now.tv_sec * USEC_PER_SEC;
	if (score_open(argv[1], NULL, &s) < 0)
		fail("%s: cannot be opened", argv[1]);
	for (uint64_t rounds = number(argv[2]); rounds > 0; rounds--)
		round_trip(s, argv + 6, (unsigned)argc - 6, number(argv[3]), number(argv[4]), number(argv[5]));
	(void)score_close(s);
	return 0;
}
