/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * agent.c: the verb agent: the farm in the words of HAProxy's agent-check. So
 * HAProxy can stand before several gateways, and send to each what it has room
 * for. The output is one line, see "agent-check" in HAProxy's configuration
 * manual: "up 37% maxconn:20".
 */

#include <inttypes.h>
#include <stdio.h>

#include "verbs.h"
#include "system/printable.h"

static int agent(void *context, int argc, char **argv)
{
	struct score_totals totals;
	struct score *score;
	int status = context_look(context, &score), r;

	(void)argc;
	(void)argv;
	if (status != STATUS_OK) {
		print(stdout, "down #the scoreboard cannot be read\n");
		return status;
	}
	r = score_totals(score, &totals);
	(void)score_close(score);
	if (r < 0) {
		print(stdout, "down #the scoreboard cannot be read\n");
		return complain_score(context, r);
	}
	if (totals.paused)
		print(stdout, "up drain #the farm is paused\n");
	else if (totals.nodes_up == 0)
		print(stdout, "down #no node is up\n");
	else /* at least 1 %: 0 would mean "drain", and a full farm queues connections */
		print(stdout, "up ready %" PRIu64 "%% maxconn:%" PRIu64 "\n",
			     totals.free * 100 > totals.slots ? totals.free * 100 / totals.slots : 1,
			     totals.busy + totals.free);
	return STATUS_OK;
}

const struct verb verb_agent = {
	.name = "agent", .arguments = "", .help = "say how much is free, in the words of HAProxy's agent-check",
	.run = agent,
};
