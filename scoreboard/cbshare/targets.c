/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * targets.c: shares in proportion to demand, and the rule that keeps the order of
 * arrival over all gateways within bounds.
 */

#include <string.h>

#include "targets.h"

/* ---- targets ---- */

/* The index with the largest remainder that has not been used, or n. */
static size_t largest(const uint64_t *remainders, size_t n)
{
	size_t i, best = n;

	for (i = 0; i < n; i++)
		if (remainders[i] > 0 && (best == n || remainders[i] > remainders[best]))
			best = i;
	return best;
}

void targets_divide(uint64_t amount, const uint64_t *weights, size_t n, uint64_t *ret)
{
	uint64_t remainders[GATEWAYS_MAX], sum = 0, left = amount;
	size_t i;

	for (i = 0; i < n; i++)
		sum += weights[i];
	for (i = 0; i < n; i++) {
		ret[i] = sum > 0 ? amount * weights[i] / sum : 0;
		remainders[i] = sum > 0 ? amount * weights[i] % sum : 0;
		left -= ret[i];
	}
	/* What is left is less than the number of remainders above 0. */
	for (; left > 0 && (i = largest(remainders, n)) < n; left--) {
		ret[i]++;
		remainders[i] = 0;
	}
}

uint64_t target_weight(const struct target *target)
{
	return target->counts ? target->busy + target->waiting + 1 : 0;
}

void targets_set(struct target *targets, size_t n, uint64_t cores)
{
	uint64_t weights[GATEWAYS_MAX] = { 0 }, parts[GATEWAYS_MAX];
	bool again;
	size_t i;

	for (i = 0; i < n; i++) {
		weights[i] = target_weight(&targets[i]);
		targets[i].target = 0;
	}
	/* A gateway whose part is above its capacity has just that; the others divide what is left. */
	do {
		again = false;
		targets_divide(cores, weights, n, parts);
		for (i = 0; i < n; i++) {
			if (weights[i] == 0 || parts[i] <= targets[i].capacity)
				continue;
			targets[i].target = targets[i].capacity;
			cores -= targets[i].capacity;
			weights[i] = 0;
			again = true;
		}
	} while (again);
	for (i = 0; i < n; i++)
		if (weights[i] > 0)
			targets[i].target = parts[i];
}

/* ---- what is owed ---- */

static bool is_in_need(const struct target *t)
{
	return t->counts && (t->waiting > 0 || t->owned <= t->busy);
}

static bool is_older(const struct target *a, const struct target *b)
{
	return a->waiting > 0 && a->age_usec > (b->waiting > 0 ? b->age_usec : 0) + TARGET_AGE_USEC;
}

/* Of the gateways in need that are below their targets and have got nothing yet, that with the oldest waiter, or n. */
static size_t next_in_need(const struct target *targets, size_t n, size_t self, const uint64_t *owed)
{
	size_t i, best = n;

	for (i = 0; i < n; i++) {
		const struct target *t = &targets[i];

		if (i == self || owed[i] > 0 || !is_in_need(t) || t->target <= t->owned || is_older(&targets[self], t))
			continue;
		if (best == n || t->age_usec > targets[best].age_usec)
			best = i;
	}
	return best;
}

static size_t oldest_of_all(const struct target *targets, size_t n)
{
	size_t i, best = n;

	for (i = 0; i < n; i++)
		if (targets[i].counts && targets[i].waiting > 0 &&
		    (best == n || targets[i].age_usec > targets[best].age_usec))
			best = i;
	return best;
}

void targets_owed(const struct target *targets, size_t n, size_t self, uint64_t *ret_owed)
{
	const struct target *own = &targets[self];
	uint64_t surplus = own->owned > own->target ? own->owned - own->target : 0;
	size_t i;

	memset(ret_owed, 0, n * sizeof(*ret_owed));
	while (surplus > 0 && (i = next_in_need(targets, n, self, ret_owed)) < n) {
		uint64_t lack = targets[i].target - targets[i].owned;

		ret_owed[i] = lack < surplus ? lack : surplus;
		surplus -= ret_owed[i];
	}
	i = oldest_of_all(targets, n);
	if (i < n && i != self && ret_owed[i] == 0 && own->owned > 0 && targets[i].aged && is_older(&targets[i], own))
		ret_owed[i] = 1;
}
