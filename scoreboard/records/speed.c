/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * speed.c: the formula.
 *
 * Every connection that was served is a sample, and every compile of a probe.
 * What is alike is in one class (connections whose bytes are alike each way;
 * all probes), and a class has a typical time t, that on a node of speed 1. A
 * node has a speed s by connections, and one by compiles. With logarithms to
 * base 2, a time x is a surprise by
 *
 *     e = log x - (log t - log s), held within 2 either way
 *
 * and both sides go to meet it, more slowly the more they know:
 *
 *     log t += e / (n + 1)    log s -= e / (w + 4)    each by no less than e / 64
 *
 * A class that is new teaches nodes nothing: what surprises there says as much
 * of a first sample that was far off as of the node. It is new for 12 samples,
 * 4 with compiles, and goes to meet them at once:
 *
 *     log t += e / min(n + 1, 4)    with e as it is
 *
 * Nor does it teach while all its samples are of one node, which is faster and
 * slower than nobody; then n stays as it is, so that t goes on following them.
 *
 * So it does not matter which node served most: that all jobs go to the fast
 * one while there are few makes neither it ordinary nor the typical time short,
 * as a plain mean of the farm's times would. Nor is there any drift: a surprise
 * moves both sides in a fixed ratio, so what one gains the other loses.
 *
 * A sample that teaches a node nothing keeps the weight that there is from
 * fading. What has no weight yet begins where the other input is, so that both mean the
 * same by 1. The learned speed is the mean of both, where a compile counts as
 * much as four connections, as it is always the same work, drawn to 1 by four
 * more:
 *
 *     log speed = (wh * log sh + 4 * wc * log sc) / (wh + 4 * wc + 4)
 *
 * The weights are numbers of samples, wh at most 64 and wc at most 16, halved
 * for every hour since the last. What is not heard of becomes ordinary again.
 *
 * It counts in steps of a quarter of an octave (19 %), so that nodes that are
 * alike count as equal and share the work, and moves to another step when it is
 * three quarters of one away.
 *
 * All in whole numbers: a release does this with the scoreboard locked.
 */

#include "speed.h"

#include <errno.h>

#define SURPRISE_MAX (2 * SPEED_OCTAVE)
#define INPUT_MAX (4 * SPEED_OCTAVE)
#define RATE_MAX 64u             /* a sample moves things by at least 1 / RATE_MAX */
#define SAMPLES_MAX (RATE_MAX - 1)
#define NEW_HOLDS 12u            /* samples of a class that teach nodes nothing */
#define NEW_COMPILES 4u          /* the same work each time: the times are closer to each other */
#define NEW_RATE 4u              /* a sample moves a new class by at least 1 / NEW_RATE */
#define COMPILE_COUNTS 4         /* connections */
#define PRIOR_SAMPLES 4u         /* of speed 1 */
#define PRIOR (PRIOR_SAMPLES * SPEED_WEIGHT)

uint32_t speed_log2(uint64_t value)
{
	unsigned whole = 63u - (unsigned)__builtin_clzll(value | 1);
	uint64_t f = (value << (63 - whole) << 1) >> 48;

	/* log2(1 + f) = f + 0.3465 f (1 - f), nearly. */
	return (uint32_t)(whole * SPEED_OCTAVE + f + ((f * (SPEED_OCTAVE - f) >> 16) * 22708 >> 16));
}

uint32_t speed_exp2(int32_t octaves)
{
	static const uint32_t quarters[] = { 1000000, 1189207, 1414214, 1681793, 2000000 };
	int32_t whole = octaves >> 16;
	uint32_t rest = (uint32_t)octaves & (SPEED_OCTAVE - 1), quarter = rest / SPEED_STEP;
	uint64_t millionths = quarters[quarter] +
			      (uint64_t)(quarters[quarter + 1] - quarters[quarter]) * (rest % SPEED_STEP) / SPEED_STEP;

	millionths = whole >= 0 ? millionths << whole : millionths >> -whole;
	return (uint32_t)((millionths + 500) / 1000);
}

unsigned speed_class(uint64_t bytes)
{
	unsigned length = bytes ? 64u - (unsigned)__builtin_clzll(bytes) : 0;
	unsigned class = (length + 1) / 2;

	return class < SPEED_CLASSES ? class : SPEED_CLASSES - 1;
}

static int32_t clamp(int64_t value, int32_t limit)
{
	return value > limit ? limit : value < -limit ? -limit : (int32_t)value;
}

/* Rounded to the nearest, both ways alike. */
static int32_t share(int32_t surprise, uint32_t n, uint32_t prior)
{
	int32_t by = (int32_t)(n < RATE_MAX - prior ? n + prior : RATE_MAX);

	return (surprise + (surprise < 0 ? -by / 2 : by / 2)) / by;
}

uint32_t speed_weight(const struct speed_input *input, uint64_t now_usec)
{
	uint64_t passed = now_usec > input->stamp_usec ? now_usec - input->stamp_usec : 0;
	uint64_t halvings = passed / SPEED_HALF_LIFE_USEC, rest = passed % SPEED_HALF_LIFE_USEC;
	uint64_t weight;

	if (halvings > 31)
		return 0;
	weight = input->weight >> halvings;
	return (uint32_t)(weight - weight * (rest / 1000) / (2 * SPEED_HALF_LIFE_USEC / 1000));
}

int32_t speed_octaves(const struct speed *speed, uint64_t now_usec)
{
	int64_t hold = speed_weight(&speed->hold, now_usec);
	int64_t compile = COMPILE_COUNTS * (int64_t)speed_weight(&speed->compile, now_usec);

	return (int32_t)((hold * speed->hold.octaves + compile * speed->compile.octaves) / (hold + compile + (int64_t)PRIOR));
}

/* What is particular to one kind of samples. */
struct kind {
	uint32_t max_weight;
	uint32_t new_samples;
};

/* Takes a sample of the node with that id into what is typical; what it is a surprise by. Whether it teaches the node. */
static bool meet(struct speed_typical *typical, const struct kind *kind, uint32_t node, int64_t surprise)
{
	bool new = typical->n < kind->new_samples, alone;
	int64_t moved;

	if (typical->n == 0)
		typical->node = node;
	else if (typical->node != node)
		typical->node = 0;
	alone = typical->node != 0;
	if (new)
		moved = surprise / (typical->n < NEW_RATE ? typical->n + 1 : NEW_RATE);
	else
		moved = share(clamp(surprise, SURPRISE_MAX), typical->n, 1);
	moved += typical->octaves;
	typical->octaves = moved > 0 ? (uint32_t)moved : 0;
	if (typical->n < (alone ? kind->new_samples : SAMPLES_MAX))
		typical->n++;
	return !new && !alone;
}

/* Takes a time into one input of a node, and into what is typical. */
static void learn(struct speed *speed, struct speed_input *input, const struct kind *kind, struct speed_typical *typical,
		  uint32_t node, uint64_t usec, uint64_t now_usec)
{
	uint32_t weight = speed_weight(input, now_usec);
	int64_t taken = speed_log2(usec > SPEED_FLOOR_USEC ? usec : SPEED_FLOOR_USEC), surprise;
	uint32_t max_weight = input->weight;

	if (weight == 0) {
		input->octaves = speed_octaves(speed, now_usec);
		max_weight = 0;
	}
	surprise = taken - (int64_t)typical->octaves + input->octaves;
	if (meet(typical, kind, node, surprise)) {
		int32_t moved = share(clamp(surprise, SURPRISE_MAX), weight / SPEED_WEIGHT, PRIOR_SAMPLES);

		input->octaves = clamp((int64_t)input->octaves - moved, INPUT_MAX);
		max_weight = kind->max_weight;
	}
	weight += SPEED_WEIGHT;
	input->weight = weight < max_weight ? weight : max_weight;
	input->stamp_usec = now_usec;
}

void speed_learn_hold(struct speed *speed, struct speed_typical *typical, uint32_t node, uint64_t usec, uint64_t now_usec)
{
	static const struct kind kind = { SPEED_HOLDS_MAX, NEW_HOLDS };

	learn(speed, &speed->hold, &kind, typical, node, usec, now_usec);
}

void speed_learn_compile(struct speed *speed, struct speed_typical *typical, uint32_t node, uint64_t usec,
			 uint64_t now_usec)
{
	static const struct kind kind = { SPEED_COMPILES_MAX, NEW_COMPILES };

	learn(speed, &speed->compile, &kind, typical, node, usec, now_usec);
	speed->work_usec = usec < UINT32_MAX ? (uint32_t)usec : UINT32_MAX;
}

bool speed_settle(struct speed *speed, uint64_t now_usec)
{
	int32_t octaves = clamp(speed_octaves(speed, now_usec), SPEED_STEPS_MAX * SPEED_STEP);
	int32_t away = octaves - speed->step * SPEED_STEP;

	if (away <= SPEED_STEP * 3 / 4 && away >= -SPEED_STEP * 3 / 4)
		return false;
	speed->step = (octaves + (octaves < 0 ? -SPEED_STEP / 2 : SPEED_STEP / 2)) / SPEED_STEP;
	return true;
}

uint32_t speed_value(const struct speed *speed)
{
	return speed_exp2(speed->step * SPEED_STEP);
}

static bool input_is_sane(const struct speed_input *input, uint32_t max_weight)
{
	return input->octaves <= INPUT_MAX && input->octaves >= -INPUT_MAX && input->weight <= max_weight;
}

int speed_check(const struct speed *speed)
{
	return input_is_sane(&speed->hold, SPEED_HOLDS_MAX) && input_is_sane(&speed->compile, SPEED_COMPILES_MAX) &&
	       speed->step <= SPEED_STEPS_MAX && speed->step >= -SPEED_STEPS_MAX ? 0 : -EUCLEAN;
}

int speed_row_check(const struct speed_row *row)
{
	for (unsigned i = 0; i < SPEED_CLASSES; i++)
		if (row->cells[i].octaves > 80 * SPEED_OCTAVE || row->cells[i].n > SAMPLES_MAX ||
		    (row->cells[i].n == 0 && row->cells[i].node != 0))
			return -EUCLEAN;
	return 0;
}
