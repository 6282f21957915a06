/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * targets.h: how many slots each gateway should have, and how many of its own a
 * gateway should give to which other. Arithmetic only; each gateway computes the
 * same from the same numbers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATEWAYS_MAX 32u           /* gateways of one farm, at once */
#define TARGET_AGE_USEC UINT64_C(1000000) /* waiters of two gateways may differ so much in age */

/* A gateway as it described itself last. Gateways are in the order of their names. */
struct target {
	bool counts;                 /* it is there, and does not leave */
	uint64_t capacity;           /* the cores of the nodes that it can use, */
	uint64_t owned;              /* and its shares of them */
	uint64_t busy, waiting;
	uint64_t age_usec;           /* of its oldest waiter by now; 0: no connection waits */
	bool aged;                   /* it may get a slot by the age rule: it has spoken since it got the last one so */
	uint64_t target;             /* filled by targets_set() */
};

/* Divides an amount in proportion to the weights, by largest remainder; of equal remainders the first come first. With
 * no weight above 0 no gateway gets anything. n: at most GATEWAYS_MAX, here as below. */
void targets_divide(uint64_t amount, const uint64_t *weights, size_t n, uint64_t *ret);

/* The weight of a gateway: the number of its connections plus 1, or 0 if it does not count. The 1 lets an idle gateway keep
 * a slot or so for the next connection. */
uint64_t target_weight(const struct target *target);

/* Sets each gateway's target, of so many cores: in proportion to the weights, but no gateway's is above its capacity. */
void targets_set(struct target *targets, size_t n, uint64_t cores);

/*
 * How many slots the gateway self should give to each other gateway. A gateway above its target gives to gateways below
 * theirs that have waiters or no free slot, the oldest waiter's first; but not to a gateway whose waiters are all
 * TARGET_AGE_USEC younger than its own. The gateway with the oldest waiter of all, if it is so much older than
 * those of self, gets a slot whatever the targets are.
 */
void targets_owed(const struct target *targets, size_t n, size_t self, uint64_t *ret_owed);
