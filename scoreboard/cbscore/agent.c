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

static int agent(const struct context *context, struct score *score)
{
	struct score_totals totals;
	int r = score_totals(score, &totals);

	(void)context;
	if (r < 0)
		return r;
	if (totals.paused)
		print(stdout, "up drain #the farm is paused\n");
	else if (totals.lapsed)
		print(stdout, "up drain #the farm's lease is over\n");
	else if (totals.nodes_up == 0)
		print(stdout, "down #no node is up\n");
	else if (totals.busy + totals.free == 0) /* HAProxy takes "maxconn:0" for no limit */
		print(stdout, "up drain #no core is this gateway's\n");
	else /* at least 1 %: 0 would mean "drain", and a full farm queues connections */
		print(stdout, "up ready %" PRIu64 "%% maxconn:%" PRIu64 "\n",
		      totals.free * 100 > totals.slots ? totals.free * 100 / totals.slots : 1,
		      totals.busy + totals.free);
	return STATUS_OK;
}

static int unreadable(const struct context *context, const char *why)
{
	(void)context;
	print(stdout, "down #the scoreboard cannot be read\n");
	complain("%s", why);
	return STATUS_FAILED;
}

const struct action verb_agent = {
	.verb = {
		.name = "agent", .arguments = "", .help = "what is free, in the words of HAProxy's agent-check",
	},
	.look = agent, .unreadable = unreadable,
};
