/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-trial.c: a connection tries a node, and a probe finds meanwhile that the
 * node went down too often.
 *
 *     cbtest-trial FILE
 * works on the scoreboard FILE, which has a node of one core with an address, and
 * nothing else.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "must.h"
#include "one_node.h"
#include "system/timespan.h"

#define QUIET_USEC (3600 * USEC_PER_SEC)

static void judge(enum node_reason reason)
{
	const struct score_verdict verdict = {
		.success = reason == REASON_NONE, .reason = reason, .rise = 1, .fall = 1, .flaps = 2, .flap_usec = QUIET_USEC,
	};
	struct score_edge edge;

	MUST(score_verdict(score, last_node().id, &verdict, &edge) >= 0);
}

/* The node goes down, and a connection tries it. Meanwhile it is up, and down once more. */
static void begin(struct score_slot *ret)
{
	judge(REASON_NONE);
	judge(REASON_REFUSED);
	clock_usec += QUIET_USEC / 2;
	MUST(claim(ret) == 0 && ret->trial);
	judge(REASON_NONE);
	judge(REASON_REFUSED);
	MUST(last_node().reason == REASON_FLAPPING);
}

/* No success puts the node up, and no connection tries it, before it was quiet for so long. */
static void stays_down(void)
{
	struct score_slot slot;

	clock_usec += QUIET_USEC - 1;
	MUST(last_node().reason == REASON_FLAPPING);
	judge(REASON_NONE);
	MUST(last_node().state != NODE_UP && last_node().reason == REASON_FLAPPING);
	MUST(claim(&slot) == 1);
	clock_usec += 1;
	judge(REASON_NONE);
	MUST(last_node().state == NODE_UP);
	clock_usec += 2 * QUIET_USEC;
}

static void test_failed(void)
{
	struct score_target target;
	struct score_ticket ticket;
	struct score_slot slot, next;
	struct score_edge edge;

	begin(&slot);
	MUST(score_failed(score, &slot, REASON_TIMED_OUT, USEC_PER_SEC, &arrival, &edge, &next, &target, &ticket) == 1);
	MUST(score_leave(score, &ticket) == 0);
	stays_down();
}

static void test_left(void)
{
	struct score_slot slot;

	begin(&slot);
	MUST(score_release(score, &slot, 0, 0, false) == 0);
	stays_down();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	MUST(score_open(argv[1], NULL, &score) == 0);
	test_failed();
	test_left();
	(void)score_close(score);
	return 0;
}
