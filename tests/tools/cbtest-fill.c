/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-fill.c: takes slots of a farm and places in its queue, as a process
 * that serves many connections, and keeps them until a signal ends it.
 *
 *     cbtest-fill SCOREBOARD SLOTS WAITERS
 *
 * It says "full" when it has them. The clients are 10.0.0.1:40000 and on.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "scoreboard.h"

/* Claims a slot for the connection of that number, or joins the queue. 0; above 0: it was not possible; or -errno. */
static int claim(struct score *score, unsigned number, bool waits)
{
	struct score_arrival arrival = { .policy = POLICY_ORDER };
	struct score_target target;
	struct score_ticket ticket;
	struct score_slot slot;
	char client[48];
	int r;

	(void)snprintf(client, sizeof(client), "10.%u.%u.%u:%u", number >> 16 & 255, number >> 8 & 255, (number & 255) + 1,
		       40000 + number % 1000);
	arrival.client = client;
	if (!waits)
		return score_claim(score, &arrival, &slot, &target, NULL);
	r = score_join(score, &arrival, &ticket);
	return r < 0 ? r : r == 0; /* a slot was free: it does not wait */
}

int main(int argc, char **argv)
{
	unsigned slots, waiters;
	struct score *score;
	int r;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: cbtest-fill SCOREBOARD SLOTS WAITERS\n");
		return 64;
	}
	slots = (unsigned)strtoul(argv[2], NULL, 10);
	waiters = (unsigned)strtoul(argv[3], NULL, 10);
	r = score_open(argv[1], NULL, &score);
	for (unsigned i = 0; r == 0 && i < slots + waiters; i++)
		r = claim(score, i, i >= slots);
	if (r != 0) {
		(void)fprintf(stderr, "cbtest-fill: %s\n", r < 0 ? score_strerror(r) : "too few slots, or too many");
		return 1;
	}
	(void)puts("full");
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}
