/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * regex_bounds.c: adds up atoms, a group's into one, and multiplies an atom by
 * what is behind it: x{2,5} is 5 of x, x+ is xx*.
 */

#include "regex_bounds.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TREE_MAX 2000u    /* nodes; memory and time may grow with the square: some dozen megabytes, for a moment */
#define DEPTH_MAX 128u    /* groups within groups; more are too many */
#define REPEATED_MAX 4u /* repetitions of repetitions; glibc takes exponential time for more */

/* One level of groups. */
struct level {
	uint32_t sum;      /* of all atoms but the last */
	uint32_t last;     /* the one that a repetition is about; 0: none */
	uint32_t repeated; /* how often something in it is repeated, one repetition within another */
	uint32_t last_repeated;
};

static uint32_t add(uint32_t a, uint32_t b)
{
	uint32_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT32_MAX : sum;
}

static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT32_MAX : product;
}

static void put_atom(struct level *level, uint32_t size, uint32_t repeated)
{
	level->sum = add(level->sum, level->last);
	level->last = size;
	if (level->repeated < level->last_repeated)
		level->repeated = level->last_repeated;
	level->last_repeated = repeated;
}

/* The end of a group: it is an atom of the level around it. */
static void put_group(struct level *around, const struct level *group)
{
	put_atom(around, add(add(group->sum, group->last), 1),
		 group->repeated > group->last_repeated ? group->repeated : group->last_repeated);
}

/* Behind a bracket expression that begins at p. */
static const char *skip_bracket(const char *p)
{
	p += 1 + (p[1] == '^');
	p += *p == ']';
	while (*p && *p != ']') {
		if (p[0] == '[' && p[1] && strchr(".:=", p[1])) {
			const char closing[] = { p[1], ']', '\0' }, *end = strstr(p + 2, closing);

			p = end ? end + 1 : p;
		}
		p++;
	}
	return p + (*p == ']');
}

/* The largest number in an interval that begins at p, and in *ret_end what is behind it; 0: it is none. */
static uint32_t read_interval(const char *p, const char **ret_end)
{
	uint32_t most = 1, number = 0;

	for (p++; isdigit((unsigned char)*p) || *p == ','; p++) {
		number = *p == ',' ? 0 : add(multiply(number, 10), (uint32_t)(*p - '0'));
		if (number > most)
			most = number;
	}
	*ret_end = p + 1;
	return *p == '}' ? most : 0;
}

/* What a repetition at p makes of the last atom. Returns what is behind it; p itself if it is none. */
static const char *repeat(const char *p, struct level *level)
{
	const char *end = p + 1;
	uint32_t times;

	if (*p && strchr("*?+{", *p) && ++level->last_repeated > REPEATED_MAX)
		level->last = UINT32_MAX;
	switch (*p) {
	case '*':
	case '?':
		level->last = add(level->last, 1);
		return end;
	case '+':
		level->last = multiply(level->last, 2);
		return end;
	case '{':
		times = read_interval(p, &end);
		if (times == 0)
			return p;
		/* As large as it may be: "{2,}" is two and one more. */
		level->last = multiply(level->last, add(times, 1));
		return end;
	default:
		return p;
	}
}

/* An atom at p that is neither a group nor a repetition. Returns what is behind it. */
static const char *take_atom(const char *p, struct level *level)
{
	put_atom(level, 1, 0);
	if (*p == '[')
		return skip_bracket(p);
	return p + (*p == '\\' && p[1] ? 2 : 1);
}

/* About how many nodes its tree has, UINT32_MAX for anything above. */
static uint32_t size_of(const char *regex)
{
	struct level levels[DEPTH_MAX] = { { 0 } };
	unsigned depth = 0;

	for (const char *p = regex, *end; *p; p = end) {
		struct level *level = &levels[depth];

		end = repeat(p, level);
		if (end != p)
			continue;
		end = p + 1;
		if (*p == '(') {
			if (depth + 1 == DEPTH_MAX)
				return UINT32_MAX;
			levels[++depth] = (struct level){ 0 };
		} else if (*p == ')' && depth > 0) {
			put_group(&levels[--depth], level);
		} else {
			end = take_atom(p, level);
		}
	}
	for (; depth > 0; depth--)
		put_group(&levels[depth - 1], &levels[depth]);
	return add(levels[0].sum, levels[0].last);
}

static bool refers_back(const char *regex)
{
	for (const char *p = regex; *p;) {
		if (p[0] == '\\' && p[1] >= '1' && p[1] <= '9')
			return true;
		p = *p == '[' ? skip_bracket(p) : p + (p[0] == '\\' && p[1] ? 2 : 1);
	}
	return false;
}

const char *regex_bounds_check(const char *regex)
{
	if (size_of(regex) > TREE_MAX)
		return "a regular expression with fewer repetitions within others";
	return refers_back(regex) ? "a regular expression without back references" : NULL;
}
