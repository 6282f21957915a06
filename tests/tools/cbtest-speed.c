/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-speed.c: learned speeds.
 *
 *     cbtest-speed
 * tries what corebalance(7) says of the arithmetic, and prints a line for each
 * statement that holds.
 *
 *     cbtest-speed FILE AGE ROUNDS IN OUT SERVED USEC...
 * uses a scoreboard whose nodes have the ids 1, 2 and so on: in each round all
 * free slots are claimed, and given back after the USEC of their node. The
 * linker puts our clock in the place of the library's (--wrap); it begins AGE
 * seconds ago.
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

uint64_t __wrap_now_realtime(void);
uint64_t __wrap_now_realtime(void)
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

/* About normal, of deviation 1: twelve times -0.5 to 0.5. */
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
	double rest = (double)value / (double)(UINT64_C(1) << whole), result = whole;

	for (double bit = 0.5; bit > 1e-9; bit /= 2) {
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

	MUST(speed_class(0) == 0 && speed_class(1) == 1 && speed_class(3) == 1 && speed_class(4) == 2, "small ones");
	MUST(speed_class(UINT64_MAX) == SPEED_CLASSES - 1, "the last has no end");
	for (uint64_t bytes = 1; bytes < UINT64_C(1) << 50; bytes *= 2) {
		unsigned class = speed_class(bytes);

		MUST(class >= before && class <= before + 1, "classes rise by one");
		MUST(class < 2 || class == SPEED_CLASSES - 1 || UINT64_C(1) << (2 * class - 2) <= bytes, "the beginning");
		before = class;
	}
}

/* Samples of nodes whose speeds are known, in one class, with noise of some octaves. */
static void serve(struct speed *nodes, unsigned n, const unsigned *usecs, unsigned samples, double noise,
		  struct speed_typical *typical)
{
	for (unsigned i = 0; i < samples; i++) {
		for (unsigned node = 0; node < n; node++) {
			double octaves = noise * normal(), usec = usecs[node];

			/* 2 ^ octaves, near enough for noise. */
			usec *= octaves >= 0 ? 1 + octaves : 1 / (1 - octaves);
			clock_usec += 1000;
			speed_learn_hold(&nodes[node], typical, node + 1, (uint64_t)usec, clock_usec);
			(void)speed_settle(&nodes[node], clock_usec);
		}
	}
}

static double octaves_of(const struct speed *speed)
{
	return speed_octaves(speed, clock_usec) / (double)SPEED_OCTAVE;
}

static void ratios(void)
{
	struct speed nodes[4] = { 0 };
	struct speed_typical typical = { 0 };

	serve(nodes, 4, (const unsigned[]){ 100000, 200000, 400000, 1600000 }, 2000, 0.5, &typical);
	for (unsigned i = 0; i < 3; i++)
		MUST(nodes[i].step > nodes[i + 1].step, "node %u is faster than the next", i);
	MUST(octaves_of(&nodes[0]) - octaves_of(&nodes[2]) > 1.6 && octaves_of(&nodes[0]) - octaves_of(&nodes[2]) < 2.2,
	     "four times as fast is two octaves, not %f", octaves_of(&nodes[0]) - octaves_of(&nodes[2]));
}

/* The longer it takes, the slower it is, whatever was known before. */
static void monotone(void)
{
	for (unsigned i = 0; i < 2000; i++) {
		struct speed one = { .hold = { (int32_t)(any() % 200000) - 100000, (uint32_t)(any() % SPEED_HOLDS_MAX), 5 } };
		struct speed_typical t = { (uint32_t)(any() % (30 * SPEED_OCTAVE)), 1 + (uint32_t)(any() % 62), 0 }, u = t;
		struct speed other = one;
		uint64_t usec = any() >> (20 + any() % 40);

		speed_learn_hold(&one, &t, 1, usec, 10);
		speed_learn_hold(&other, &u, 1, usec + usec / 3, 10);
		MUST(speed_octaves(&other, 10) <= speed_octaves(&one, 10), "longer is slower");
		MUST(u.octaves >= t.octaves, "and longer is more typical");
	}
}

static void bounded(void)
{
	struct speed node = { 0 };
	struct speed_row row = { 0 };

	for (unsigned i = 0; i < 200000; i++) {
		uint64_t usec = any() >> (any() % 64), now_usec = any() >> (any() % 64);
		struct speed_typical *typical = &row.cells[any() % SPEED_CLASSES];
		uint32_t id = 1 + (uint32_t)(any() % 2);

		if (any() % 4)
			speed_learn_hold(&node, typical, id, usec, now_usec);
		else
			speed_learn_compile(&node, typical, id, usec, now_usec);
		(void)speed_settle(&node, any());
		MUST(speed_check(&node) == 0 && speed_row_check(&row) == 0, "step %u: it cannot be true", i);
		MUST(speed_value(&node) >= 100 && speed_value(&node) <= 10000, "step %u: %u", i, speed_value(&node));
	}
	/* A row that was damaged. */
	for (unsigned i = 0; i < 1000; i++) {
		struct speed_typical broken = { (uint32_t)any(), i % 2 ? UINT32_MAX : (uint32_t)any(), (uint32_t)(any() % 3) };

		speed_learn_hold(&node, &broken, 1, any(), 1);
		MUST(speed_check(&node) == 0, "a damaged row");
	}
	/* All the same way. */
	for (unsigned i = 0; i < 1000; i++) {
		speed_learn_hold(&node, &row.cells[0], 1 + i / 2 % 2, i % 2 ? UINT64_MAX : 0, 1);
		MUST(speed_check(&node) == 0, "extremes");
	}
}

static void outliers(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_typical typical = { 0 };
	double before;

	serve(nodes, 2, (const unsigned[]){ 100000, 200000 }, 500, 0.3, &typical);
	before = octaves_of(&nodes[0]);
	speed_learn_hold(&nodes[0], &typical, 1, 1, clock_usec);
	MUST(octaves_of(&nodes[0]) - before < 1.0 / 32 + 0.001, "one that is too short");
	before = octaves_of(&nodes[0]);
	speed_learn_hold(&nodes[0], &typical, 1, 24 * HOUR_USEC, clock_usec);
	MUST(before - octaves_of(&nodes[0]) < 1.0 / 32 + 0.001, "one that lasted a day");
}

static void short_ones(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_typical typical = { 0 };

	serve(nodes, 2, (const unsigned[]){ 20, 900 }, 500, 0, &typical);
	MUST(nodes[0].step == 0 && nodes[1].step == 0, "below a millisecond all are alike");
}

/* The fast one gets all the work for a long time: nothing may be forgotten. */
static void alone(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_typical typical = { 0 };
	double before;

	serve(nodes, 2, (const unsigned[]){ 100000, 400000 }, 500, 0.3, &typical);
	before = octaves_of(&nodes[0]);
	serve(nodes, 1, (const unsigned[]){ 100000 }, 100000, 0.3, &typical);
	MUST(octaves_of(&nodes[0]) > before - 0.15 && octaves_of(&nodes[0]) < before + 0.15,
	     "it was %f and is %f", before, octaves_of(&nodes[0]));
}

/* Nobody else is in the class: whatever its first connections were, it is ordinary. */
static void nobody_else(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_typical typical = { 0 };
	double before;

	for (unsigned times = 1; times <= 1000; times *= 10) {
		serve(nodes, 1, (const unsigned[]){ 2000000 }, times, 0.3, &typical);
		serve(nodes, 1, (const unsigned[]){ 20000 }, 300, 0.3, &typical);
		MUST(nodes[0].step == 0 && nodes[0].hold.octaves == 0 && nodes[0].hold.weight == 0, "%u slow ones", times);
	}
	/* That is where others are compared with it at once. */
	serve(&nodes[1], 1, (const unsigned[]){ 20000 }, 20, 0, &(struct speed_typical){ typical.octaves, typical.n, 1 });
	MUST(octaves_of(&nodes[1]) > -0.3 && octaves_of(&nodes[1]) < 0.3, "one as fast is %f", octaves_of(&nodes[1]));
	serve(nodes, 2, (const unsigned[]){ 20000, 80000 }, 50, 0.3, &typical);
	MUST(octaves_of(&nodes[0]) - octaves_of(&nodes[1]) > 1.5, "one that is slower is known to be");
	/* A fast error that is nobody else's says nothing of one that is known. */
	before = octaves_of(&nodes[1]);
	typical = (struct speed_typical){ 0 };
	serve(&nodes[1], 1, (const unsigned[]){ 100000 }, 1, 0, &typical);
	serve(&nodes[1], 1, (const unsigned[]){ 2000 }, 300, 0.3, &typical);
	MUST(octaves_of(&nodes[1]) > before - 0.01 && octaves_of(&nodes[1]) < before + 0.01,
	     "it was %f and is %f", before, octaves_of(&nodes[1]));
}

/* All of them, while what they need is not yet in their memories. */
static void slow_begin(void)
{
	struct speed nodes[3] = { 0 };
	struct speed_typical typical = { 0 };

	serve(nodes, 3, (const unsigned[]){ 2000000, 2000000, 2000000 }, 1, 0.3, &typical);
	serve(nodes, 3, (const unsigned[]){ 10000, 20000, 40000 }, 200, 0.3, &typical);
	MUST(octaves_of(&nodes[1]) > -0.5 && octaves_of(&nodes[1]) < 0.5, "the middle one is %f", octaves_of(&nodes[1]));
	MUST(nodes[0].step > 0 && nodes[2].step < 0, "%d and %d", nodes[0].step, nodes[2].step);
}

static void alike(void)
{
	unsigned others = 0, unequal = 0;

	/* By chance one may look a step better for a while, and the first samples of a farm may all be long. */
	for (unsigned farm = 0; farm < 50; farm++) {
		struct speed nodes[4] = { 0 };
		struct speed_typical typical = { 0 };

		for (unsigned moment = 0; moment < 20; moment++) {
			serve(nodes, 4, (const unsigned[]){ 1000000, 1000000, 1000000, 1000000 }, 20, 0.5, &typical);
			for (unsigned i = 0; i < 4; i++) {
				others += nodes[i].step != 0;
				unequal += nodes[i].step != nodes[0].step;
			}
		}
	}
	MUST(others < 1200, "%u of 4000 times one is not 1", others);
	MUST(unequal < 1000, "%u of 4000 times one is not as the first", unequal);
}

static void decay(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_typical typical = { 0 };
	int32_t before;
	uint32_t weight;

	serve(nodes, 2, (const unsigned[]){ 100000, 800000 }, 500, 0, &typical);
	weight = speed_weight(&nodes[0].hold, clock_usec);
	MUST(weight == SPEED_HOLDS_MAX, "64 samples");
	MUST(speed_weight(&nodes[0].hold, clock_usec + HOUR_USEC) == weight / 2, "an hour");
	MUST(speed_weight(&nodes[0].hold, clock_usec + HOUR_USEC / 2) == weight / 4 * 3, "half an hour, on a line");
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

/* What nodes and classes know together stays, so that 1 means the same for ever. */
static void no_drift(void)
{
	struct speed nodes[3] = { 0 };
	struct speed_typical typical = { 0 };
	int64_t before, after;

	serve(nodes, 3, (const unsigned[]){ 100000, 200000, 400000 }, 100, 0.5, &typical);
	before = (int64_t)typical.octaves + nodes[0].hold.octaves + nodes[1].hold.octaves + nodes[2].hold.octaves;
	serve(nodes, 3, (const unsigned[]){ 100000, 200000, 400000 }, 100000, 0.5, &typical);
	after = (int64_t)typical.octaves + nodes[0].hold.octaves + nodes[1].hold.octaves + nodes[2].hold.octaves;
	MUST(before == after, "%lld and %lld", (long long)before, (long long)after);
}

static void compiles(void)
{
	struct speed nodes[2] = { 0 };
	struct speed_typical compile = { 0 }, hold = { 0 };
	int32_t by_compiles;

	for (unsigned i = 0; i < 20; i++) {
		speed_learn_compile(&nodes[0], &compile, 1, 20000, clock_usec);
		speed_learn_compile(&nodes[1], &compile, 2, 80000, clock_usec);
	}
	by_compiles = speed_octaves(&nodes[0], clock_usec) - speed_octaves(&nodes[1], clock_usec);
	MUST(by_compiles > SPEED_OCTAVE * 3 / 2 && by_compiles < SPEED_OCTAVE * 5 / 2, "four times: %d", by_compiles);
	MUST(nodes[1].work_usec == 80000, "the last is kept");
	/* Connections that agree change nothing much, although they begin with one node alone. */
	serve(nodes, 1, (const unsigned[]){ 100000 }, 200, 0, &hold);
	serve(nodes, 2, (const unsigned[]){ 100000, 400000 }, 200, 0, &hold);
	MUST(speed_octaves(&nodes[0], clock_usec) - speed_octaves(&nodes[1], clock_usec) > by_compiles - SPEED_OCTAVE / 4,
	     "they agree");
}

static int try_all(void)
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
		{ "slow first connections make no node faster", slow_begin },
		{ "nodes that are alike count as equal", alike },
		{ "what is old decays to 1", decay },
		{ "1 means the same for ever", no_drift },
		{ "compiles count, and connections begin where they are", compiles },
	};

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

/* One round: all slots are taken, and given back in the order in which their nodes are done. */
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
		/* Each as if the others were not there: the library looks at the clock for nothing else here. */
		clock_usec = begun_usec + usec;
		MUST(score_release(s, &slots[i], in, out, served) == 0, "no release");
	}
	clock_usec = begun_usec + longest_usec;
}

int main(int argc, char **argv)
{
	struct score *s;
	struct timespec now;

	if (argc == 1)
		return try_all();
	if (argc < 8)
		fail("expected nothing, or FILE AGE ROUNDS IN OUT SERVED USEC...");
	(void)clock_gettime(CLOCK_REALTIME, &now);
	clock_usec = ((uint64_t)now.tv_sec - number(argv[2])) * USEC_PER_SEC;
	if (score_open(argv[1], NULL, &s) < 0)
		fail("%s: cannot be opened", argv[1]);
	for (uint64_t rounds = number(argv[3]); rounds > 0; rounds--)
		round_trip(s, argv + 7, (unsigned)argc - 7, number(argv[4]), number(argv[5]), number(argv[6]));
	(void)score_close(s);
	return 0;
}
