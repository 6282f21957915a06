/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-history.c: what the scoreboard remembers of connections.
 *
 *     cbtest-history FILE HOURS SEED
 * claims and releases at random moments of so many hours on the scoreboard FILE,
 * which has one node. Then it compares the scoreboard's history with what
 * happened. The linker (--wrap) replaces the library's clock by that of this
 * file, which stands still, runs on, leaves hours out, and is set back.
 */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "scoreboard.h"
#include "system/timespan.h"

static uint64_t clock_usec = UINT64_C(1800000000000000);

static uint64_t set_back_usec; /* of the wall clock */

uint64_t __wrap_now_realtime(void);
uint64_t __wrap_now_realtime(void)
{
	return clock_usec;
}

uint64_t __wrap_now_boottime(void);
uint64_t __wrap_now_boottime(void)
{
	return clock_usec + set_back_usec;
}

static uint64_t chance;

static uint64_t any(uint64_t below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance % below;
}

struct score_facts {
	uint64_t served, failed, claims, hold_usec;
};

static void serve_once(struct score *score, struct score_facts *facts)
{
	struct score_target target;
	struct score_slot slot;
	uint64_t hold_usec = any(20) == 0 ? any(200 * USEC_PER_SEC) : any(USEC_PER_SEC);
	bool served = any(10) != 0;

	MUST(score_claim(score, &(struct score_arrival){ .client = "10.0.0.1:1" }, &slot, &target, NULL) == 0);
	facts->claims++;
	clock_usec += hold_usec;
	MUST(score_release(score, &slot, 1, 1, served) == 0);
	facts->served += served;
	facts->failed += !served;
	facts->hold_usec += hold_usec;
}

static uint64_t begin_of(uint64_t usec)
{
	return usec - usec % SCORE_SLICE_USEC;
}

static void compare(struct score *score, const struct score_facts *facts)
{
	struct score_history history;

	MUST(score_history(score, &history) == 0);
	MUST(history.served == facts->served);
	MUST(history.failed == facts->failed);
	MUST(score_histogram_total(&history.wait) == facts->claims);
	MUST(score_histogram_total(&history.hold) == facts->served + facts->failed);
	MUST(history.wait.sum_usec == 0);
	MUST(history.hold.sum_usec == facts->hold_usec);
	MUST(history.n_slices >= 1 && history.n_slices <= SCORE_SLICES);
	for (unsigned i = 0; i < history.n_slices; i++) {
		MUST(history.slices[i].begin_usec + (history.n_slices - 1 - i) * SCORE_SLICE_USEC == begin_of(clock_usec));
		MUST(history.slices[i].busy <= 1 && history.slices[i].waiting == 0);
	}
}

/* A slot is held over minutes in which nothing else happens: the slices of these minutes show it busy. */
static void hold_long(struct score *score, struct score_facts *facts)
{
	struct score_history history;
	struct score_target target;
	struct score_slot slot;

	MUST(score_claim(score, &(struct score_arrival){ .client = "10.0.0.1:1" }, &slot, &target, NULL) == 0);
	clock_usec += 10 * SCORE_SLICE_USEC;
	MUST(score_history(score, &history) == 0);
	for (unsigned i = history.n_slices - 10; i < history.n_slices; i++)
		MUST(history.slices[i].busy == 1);
	MUST(score_release(score, &slot, 1, 1, true) == 0);
	clock_usec += 2 * SCORE_SLICE_USEC;
	MUST(score_history(score, &history) == 0);
	MUST(history.slices[history.n_slices - 1].busy == 0);
	facts->claims++;
	facts->served++;
	facts->hold_usec += 10 * SCORE_SLICE_USEC;
}

static void check_quantiles(void)
{
	struct score_histogram histogram = { 0 };

	MUST(score_histogram_quantile(&histogram, 0.5) == 0);
	histogram.count[0] = 100; /* up to 1 ms */
	MUST(score_histogram_quantile(&histogram, 0.5) == 500);
	histogram.count[1] = 100; /* up to 5 ms */
	MUST(score_histogram_quantile(&histogram, 0.5) == 1000);
	MUST(score_histogram_quantile(&histogram, 0.75) == 3000);
	histogram = (struct score_histogram){ .count[SCORE_BUCKETS - 1] = 1 };
	MUST(score_histogram_quantile(&histogram, 0.99) == score_bucket_usec[SCORE_BUCKETS - 2]);
}

int main(int argc, char **argv)
{
	struct score_facts facts = { 0 };
	struct score *score;
	uint64_t end_usec;

	if (argc != 4)
		return 64;
	chance = strtoull(argv[3], NULL, 10) * 2654435761u + 88172645463325252u;
	check_quantiles();
	MUST(score_open(argv[1], NULL, &score) == 0);
	hold_long(score, &facts);
	end_usec = clock_usec + strtoull(argv[2], NULL, 10) * 3600 * USEC_PER_SEC;
	while (clock_usec < end_usec) {
		serve_once(score, &facts);
		if (any(50) == 0)
			clock_usec += any(2 * 3600 * USEC_PER_SEC);
		if (any(100) == 0) {
			uint64_t usec = any(100 * USEC_PER_SEC);

			clock_usec -= usec;
			set_back_usec += usec;
		}
		if (any(10) == 0)
			compare(score, &facts);
	}
	compare(score, &facts);
	(void)score_close(score);
	(void)printf("%" PRIu64 " connections are remembered\n", facts.claims);
	return 0;
}
