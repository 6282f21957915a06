/* SPDX-License-Identifier: GPL-3.0-or-later */

/* cbtest-targets.c: how many slots each gateway should have, and gives. */

#include <stdio.h>
#include <stdlib.h>

#include "cbshare/targets.h"
#include "must.h"

static uint64_t parts[GATEWAYS_MAX], owed[GATEWAYS_MAX];

static void divide(uint64_t amount, const uint64_t *weights, size_t n)
{
	uint64_t sum = 0, all = 0;
	size_t i;

	targets_divide(amount, weights, n, parts);
	for (i = 0; i < n; i++) {
		sum += parts[i];
		all += weights[i];
	}
	MUST(sum == (all > 0 ? amount : 0));
	for (i = 0; i < n && all > 0; i++)
		MUST(parts[i] == amount * weights[i] / all || parts[i] == amount * weights[i] / all + 1);
}

static void test_divide(void)
{
	uint64_t weights[5];
	unsigned i;

	divide(16, (uint64_t[]){ 24, 8, 16 }, 3);
	MUST(parts[0] == 8 && parts[1] == 3 && parts[2] == 5);
	divide(1, (uint64_t[]){ 1, 1 }, 2);
	MUST(parts[0] == 1 && parts[1] == 0);
	divide(7, (uint64_t[]){ 0, 3 }, 2);
	MUST(parts[0] == 0 && parts[1] == 7);
	divide(7, (uint64_t[]){ 0, 0 }, 2);
	divide(UINT64_C(655350000), (uint64_t[]){ 1000000, 999999, 1 }, 3);
	for (i = 0; i < 10000; i++) {
		weights[0] = i % 7;
		weights[1] = i % 11;
		weights[2] = i % 13;
		weights[3] = i % 17;
		weights[4] = i / 100;
		divide(i % 101, weights, 5);
	}
}

static void test_owed(void)
{
	struct target t[3] = {
		{ .counts = true, .capacity = 16, .owned = 16, .busy = 4 },
		{ .counts = true, .capacity = 16, .owned = 0, .waiting = 4, .age_usec = 10, .aged = true },
		{ .counts = true, .capacity = 16, .owned = 0, .busy = 0, .aged = true },
	};

	targets_set(t, 3, 16);
	/* By weights of 5, 5 and 1. */
	MUST(t[0].target == 7 && t[1].target == 7 && t[2].target == 2);
	targets_owed(t, 3, 0, owed);
	MUST(owed[0] == 0 && owed[1] == 7 && owed[2] == 2);
	/* A gateway below its target gives nothing. */
	targets_owed(t, 3, 1, owed);
	MUST(owed[0] == 0 && owed[2] == 0);
	/* Nor does a gateway give to one that has a free slot and no waiter. */
	t[2].owned = 1;
	targets_owed(t, 3, 0, owed);
	MUST(owed[2] == 0);
	/* A gateway that leaves, or is silent, has no target and gets nothing. */
	t[1].counts = false;
	targets_set(t, 3, 16);
	targets_owed(t, 3, 0, owed);
	MUST(t[1].target == 0 && owed[1] == 0);
}

static void test_age(void)
{
	struct target t[2] = {
		{ .counts = true, .capacity = 4, .owned = 4, .busy = 4, .waiting = 100, .age_usec = 500000 },
		{ .counts = true, .capacity = 4, .owned = 0, .waiting = 1, .age_usec = 500000 + TARGET_AGE_USEC, .aged = true },
	};

	targets_set(t, 2, 4);
	MUST(t[0].target == 4 && t[1].target == 0);
	/* A second older is not enough, more is. */
	targets_owed(t, 2, 0, owed);
	MUST(owed[1] == 0);
	t[1].age_usec++;
	targets_owed(t, 2, 0, owed);
	MUST(owed[1] == 1);
	/* One slot for each of its heartbeats. */
	t[1].aged = false;
	targets_owed(t, 2, 0, owed);
	MUST(owed[1] == 0);
	/* And the gateway that has got it does not give it back while its waiter is the older one. */
	t[0] = (struct target){ .counts = true, .capacity = 4, .owned = 1, .waiting = 1, .age_usec = 3000000 };
	t[1] = (struct target){ .counts = true, .capacity = 4, .owned = 3, .waiting = 100, .age_usec = 10, .aged = true };
	targets_set(t, 2, 4);
	targets_owed(t, 2, 0, owed);
	MUST(t[0].target == 0 && owed[1] == 0);
}

/* No target is above what the gateway can use; the others have the rest. */
static void test_capacity(void)
{
	struct target t[3] = {
		{ .counts = true, .capacity = 16, .waiting = 5 },
		{ .counts = true, .capacity = 2, .waiting = 11 },
		{ .counts = true, .capacity = 16, .waiting = 2 },
	};

	targets_set(t, 3, 16);
	/* By weights of 6, 12 and 3 the second's part would be 9; of the 14 that it leaves 9 and a third are the first's. */
	MUST(t[0].target == 9 && t[1].target == 2 && t[2].target == 5);
	/* Then the first's part is above its capacity, too. */
	t[0].capacity = 8;
	targets_set(t, 3, 16);
	MUST(t[0].target == 8 && t[1].target == 2 && t[2].target == 6);
	t[2].capacity = 0;
	targets_set(t, 3, 16);
	MUST(t[0].target == 8 && t[1].target == 2 && t[2].target == 0);
}

int main(void)
{
	test_divide();
	test_capacity();
	test_owed();
	test_age();
	return 0;
}
