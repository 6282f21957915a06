/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * speed.c: the formula.
 *
 * Every connection that was served is a sample, and so is every compile of a
 * probe. Samples are compared only between two nodes, and only if they are alike:
 *
 *   - they are of one class (connections with a similar number of bytes each
 *     way; all compiles), and
 *   - they began at about the same time: no further apart than twice the shorter
 *     of the two times (compiles: or two minutes).
 *
 * So a change of the mix of jobs changes no node's speed: a job of yesterday's
 * kind is not compared with a job of today's. A class keeps its last samples;
 * each is compared with later samples at most three times.
 *
 * x is the logarithm of a time and s that of a speed, to base 2. A comparison of
 * node a with node b says that a is faster than its present speed by
 *
 *     d = (xb + sb) - (xa + sa), but 1/4 or -1/4 if it is beyond 1 or -1
 *
 * where sb is b's pinned speed if there is one: pinned nodes anchor the scale.
 * b is slower by as much, and learns that with its next sample in the class. What
 * a adds to its speed, b takes away, so nothing drifts where no node is pinned. A
 * node moves towards each d, the more slowly the more comparisons it has made (w
 * of them, at most 64; of compiles 16), and is drawn to speed 1 a little:
 *
 *     e = s / 64 - d
 *     s -= e / (w + 4), by no less than e / 64
 *
 * If d is beyond 1 or -1, the two jobs were hardly alike. Such a comparison pulls
 * little, but not nothing, as a node may become ten times slower.
 *
 * noise is the mean of e * e, and tells how far s may be off by chance. Nodes
 * that are alike differ by chance alone, and must count as equal. So the part of
 * s that counts is
 *
 *     c = s - 20 * noise / w / s, but 0 if that is on the other side of 0
 *
 * This is 0 within four and a half standard errors, and nearly s far outside.
 *
 * A sample that is compared with no other sample keeps the present weight from
 * fading. An input (connections or compiles) without any weight begins at the
 * learned speed, so that speed 1 means the same for both. The learned speed is
 * the mean of both inputs. A compile counts as much as four connections, as it is
 * always the same work. Four more comparisons draw the mean to speed 1:
 *
 *     log speed = (wh * ch + 4 * wc * cc) / (wh + 4 * wc + 4)
 *
 * where h is of connections (they hold slots) and c of compiles. The weights are
 * halved for every hour since the last sample, so the speed of a node without
 * samples returns to 1.
 *
 * The speed counts in steps of a quarter of an octave (19 %), so that nodes which
 * are nearly alike count as equal and share the work. It moves to another step
 * when the learned speed is three quarters of a step away.
 *
 * All arithmetic is in whole numbers: a release does it while it holds the
 * scoreboard's lock.
 */

#include "speed.h"

#include <errno.h>
#include <stddef.h>

#define SURPRISE_MAX SPEED_OCTAVE
#define INPUT_MAX (4 * SPEED_OCTAVE)
#define PIN_MAX (20 * SPEED_OCTAVE)
#define SAMPLE_MAX (64 * SPEED_OCTAVE)
#define RATE_MAX 64u             /* a comparison moves the speed by at least 1 / RATE_MAX of e */
#define NOISE_RATE 16            /* and the noise by 1 / NOISE_RATE */
#define NOISE_BEGIN (SPEED_OCTAVE / 2)
#define CHANCE 20                /* standard errors, squared */
#define ODD_PULL (SPEED_OCTAVE / 4)
#define USES_MAX 3               /* comparisons of a sample: with more, one odd sample would move other nodes far */
#define COMPILE_COUNTS 4         /* connections */
#define PRIOR_SAMPLES 4u         /* of speed 1 */
#define PRIOR (PRIOR_SAMPLES * SPEED_WEIGHT)
#define COMPILE_NEAR_MSEC 120000u

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

int32_t speed_pin(double speed)
{
	return (int32_t)speed_log2((uint64_t)(speed * 1000 + 0.5)) - (int32_t)speed_log2(1000);
}

unsigned speed_bytes_class(uint64_t bytes)
{
	unsigned length = bytes ? 64u - (unsigned)__builtin_clzll(bytes) : 0;
	unsigned number = (length + 1) / 2;

	return number < SPEED_CLASSES ? number : SPEED_CLASSES - 1;
}

static int32_t clamp(int64_t value, int32_t limit)
{
	return value > limit ? limit : value < -limit ? -limit : (int32_t)value;
}

/* The part of a surprise that counts after n comparisons; rounded to the nearest, away from 0 at halves. */
static int32_t share(int32_t surprise, uint32_t n)
{
	int32_t by = (int32_t)(n < RATE_MAX - PRIOR_SAMPLES ? n + PRIOR_SAMPLES : RATE_MAX);

	return (surprise + (surprise < 0 ? -by / 2 : by / 2)) / by;
}

uint32_t speed_weight(const struct speed_input *input, uint64_t now_usec)
{
	uint64_t passed = now_usec > input->stamp_usec ? now_usec - input->stamp_usec : 0;
	uint64_t halvings = passed / SPEED_HALF_LIFE_USEC, rest = passed % SPEED_HALF_LIFE_USEC;
	uint64_t weight;

	/* A sample of a time far to come is of another boot. */
	if (halvings > 31 || input->stamp_usec > now_usec + SPEED_HALF_LIFE_USEC)
		return 0;
	weight = input->weight >> halvings;
	return (uint32_t)(weight - weight * (rest / 1000) / (2 * SPEED_HALF_LIFE_USEC / 1000));
}

int32_t speed_certain(const struct speed_input *input, uint64_t now_usec)
{
	int64_t weight = speed_weight(input, now_usec), octaves = input->octaves;
	int64_t chance = weight > 0 ? (int64_t)CHANCE * SPEED_WEIGHT * input->noise * SPEED_OCTAVE / weight : INT64_MAX;

	return octaves * octaves > chance ? (int32_t)(octaves - chance / octaves) : 0;
}

int32_t speed_octaves(const struct speed *speed, uint64_t now_usec)
{
	int64_t hold = speed_weight(&speed->hold, now_usec);
	int64_t compile = COMPILE_COUNTS * (int64_t)speed_weight(&speed->compile, now_usec);

	return (int32_t)((hold * speed_certain(&speed->hold, now_usec) +
			  compile * speed_certain(&speed->compile, now_usec)) / (hold + compile + (int64_t)PRIOR));
}

/* The constants of a kind of samples. */
struct kind {
	uint32_t max_weight;
	uint32_t near_msec; /* samples that began this close together may be compared, however short they are */
};

/* Takes n comparisons into the input: faster is the sum of how much faster than base they found the node. */
static void take(struct speed_input *input, const struct kind *kind, int32_t base, int64_t faster, unsigned n)
{
	int64_t off = n * ((int64_t)input->octaves - base + input->octaves / 64) - faster;
	int32_t surprise = clamp(off, (int32_t)n * SURPRISE_MAX), each = surprise / (int32_t)n;
	int64_t square = (int64_t)each * each / SPEED_OCTAVE;
	uint32_t weight = input->weight + n * SPEED_WEIGHT;

	input->octaves = clamp((int64_t)input->octaves - share(surprise, input->weight / SPEED_WEIGHT), INPUT_MAX);
	input->noise = (uint32_t)(input->noise + (square - (int64_t)input->noise) / NOISE_RATE);
	input->weight = weight < kind->max_weight ? weight : kind->max_weight;
}

/* Takes in the comparisons that other nodes' samples made with samples of this node. */
static void take_all(struct speed_input *input, const struct kind *kind, struct speed_class *class, uint32_t node,
		     int32_t pin)
{
	for (unsigned i = 0; i < SPEED_LATEST; i++) {
		struct speed_sample *sample = &class->latest[i];

		if (sample->node != node || sample->n_found == 0 || sample->n_found > USES_MAX)
			continue;
		take(input, kind, pin == SPEED_UNPINNED ? input->octaves : pin, sample->found, sample->n_found);
		sample->found = 0;
		sample->n_found = 0;
		if (sample->uses >= USES_MAX)
			sample->node = 0;
	}
}

/* The distance of two times of a clock that wraps around. */
static uint32_t distance(uint32_t a, uint32_t b)
{
	return a - b < b - a ? a - b : b - a;
}

static uint32_t msec_of(int32_t octaves)
{
	if (octaves < 0)
		return 0;
	return octaves < 40 * SPEED_OCTAVE ? (uint32_t)((UINT64_C(1) << (octaves / SPEED_OCTAVE)) / 1000) : UINT32_MAX / 4;
}

/* Whether two samples may be compared: of two nodes, and begun at about the same time. */
static bool are_near(const struct speed_sample *a, const struct speed_sample *b, const struct kind *kind)
{
	uint32_t near = 2 * msec_of(a->octaves < b->octaves ? a->octaves : b->octaves) + 2;

	if (a->node == 0 || a->node == b->node || a->uses >= USES_MAX)
		return false;
	return distance(a->begun_msec, b->begun_msec) <= (near > kind->near_msec ? near : kind->near_msec);
}

/* A difference that is far off pulls only a little: the two jobs were hardly alike. */
static int32_t bound(int64_t faster)
{
	if (faster > SURPRISE_MAX)
		return ODD_PULL;
	return faster < -SURPRISE_MAX ? -ODD_PULL : (int32_t)faster;
}

/* Compares a sample with the samples that other nodes left; those keep their side of the result. Returns the number of
 * comparisons; *ret is the sum of how much faster than its present speed they found the sample's node. */
static unsigned compare(struct speed_class *class, const struct speed_sample *mine, const struct kind *kind, int64_t *ret)
{
	unsigned n = 0;

	*ret = 0;
	for (unsigned i = 0; i < SPEED_LATEST; i++) {
		struct speed_sample *other = &class->latest[i];
		int32_t faster;

		if (!are_near(other, mine, kind))
			continue;
		faster = bound((int64_t)other->octaves + other->speed - mine->octaves - mine->speed);
		other->found = clamp((int64_t)other->found - faster, USES_MAX * SURPRISE_MAX);
		other->n_found++;
		other->uses++;
		*ret += faster;
		n++;
	}
	return n;
}

/*
 * The place for a sample that waits to be compared: a free place; else that of
 * the node's own sample that is missed least; else that of the oldest sample. The
 * node's samples that stay reach far back, and become fewer the older they are:
 * a slow node's sample of the same time comes later.
 */
static struct speed_sample *find_place(struct speed_class *class, const struct speed_sample *mine, uint32_t now_msec)
{
	struct speed_sample *place = &class->latest[0], *own[SPEED_LATEST], *least_own = NULL;
	uint32_t ages[SPEED_LATEST]; /* of the node's own samples */
	uint64_t least = UINT64_MAX;
	unsigned n = 0;

	for (unsigned i = 0; i < SPEED_LATEST; i++) {
		struct speed_sample *other = &class->latest[i];
		uint32_t age = now_msec - other->begun_msec;

		if (other->node == 0)
			return other;
		if (age > now_msec - place->begun_msec)
			place = other;
		if (other->node == mine->node) {
			own[n] = other;
			ages[n++] = age;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t missed;
		uint32_t newer = 0;

		/* The age of the node's next newer sample: close to this one's means crowded. */
		for (unsigned j = 0; j < n; j++)
			if (ages[j] < ages[i] && ages[j] > newer)
				newer = ages[j];
		missed = (uint64_t)(ages[i] - newer) * 1024 / ((uint64_t)ages[i] + 1);
		if (missed < least) {
			least = missed;
			least_own = own[i];
		}
	}
	return least_own ?: place;
}

/* Takes a time into an input of a node, and into its class. */
static void learn(struct speed *speed, struct speed_input *input, const struct kind *kind, struct speed_class *class,
		  uint32_t node, int32_t pin, uint64_t usec, uint64_t now_usec)
{
	uint64_t begun_usec = now_usec > usec ? now_usec - usec : 0;
	struct speed_sample mine = {
		.node = node, .begun_msec = (uint32_t)(begun_usec / 1000),
		.octaves = (int32_t)speed_log2(usec > SPEED_FLOOR_USEC ? usec : SPEED_FLOOR_USEC),
	};
	int64_t faster;
	unsigned n;

	input->weight = speed_weight(input, now_usec);
	input->stamp_usec = now_usec;
	if (input->weight == 0) {
		input->octaves = speed_octaves(speed, now_usec);
		input->noise = NOISE_BEGIN;
	}
	if (pin != SPEED_UNPINNED)
		pin = clamp(pin, PIN_MAX);
	take_all(input, kind, class, node, pin);
	mine.speed = pin == SPEED_UNPINNED ? input->octaves : pin;
	n = compare(class, &mine, kind, &faster);
	if (n > 0)
		take(input, kind, mine.speed, faster, n);
	*find_place(class, &mine, (uint32_t)(now_usec / 1000)) = mine;
}

void speed_learn_hold(struct speed *speed, struct speed_class *class, uint32_t node, int32_t pin, uint64_t usec,
		      uint64_t now_usec)
{
	static const struct kind kind = { SPEED_HOLDS_MAX, 0 };

	learn(speed, &speed->hold, &kind, class, node, pin, usec, now_usec);
}

void speed_learn_compile(struct speed *speed, struct speed_class *class, uint32_t node, int32_t pin, uint64_t usec,
			 uint64_t now_usec)
{
	static const struct kind kind = { SPEED_COMPILES_MAX, COMPILE_NEAR_MSEC };

	learn(speed, &speed->compile, &kind, class, node, pin, usec, now_usec);
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
	return input->octaves <= INPUT_MAX && input->octaves >= -INPUT_MAX && input->weight <= max_weight &&
	       input->noise <= 2 * SPEED_OCTAVE;
}

int speed_check(const struct speed *speed)
{
	return input_is_sane(&speed->hold, SPEED_HOLDS_MAX) && input_is_sane(&speed->compile, SPEED_COMPILES_MAX) &&
	       speed->step <= SPEED_STEPS_MAX && speed->step >= -SPEED_STEPS_MAX ? 0 : -EUCLEAN;
}

static bool sample_is_sane(const struct speed_sample *sample)
{
	return sample->octaves >= 0 && sample->octaves <= SAMPLE_MAX && sample->speed >= -SAMPLE_MAX &&
	       sample->speed <= SAMPLE_MAX && sample->found <= (int)USES_MAX * SURPRISE_MAX &&
	       sample->found >= -(int)USES_MAX * SURPRISE_MAX && sample->uses <= USES_MAX && sample->n_found <= sample->uses;
}

int speed_row_check(const struct speed_row *row)
{
	for (unsigned i = 0; i < SPEED_CLASSES; i++)
		for (unsigned j = 0; j < SPEED_LATEST; j++)
			if (!sample_is_sane(&row->cells[i].latest[j]))
				return -EUCLEAN;
	return 0;
}
