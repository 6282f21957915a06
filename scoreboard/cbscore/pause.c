/* SPDX-License-Identifier: GPL-3.0-or-later */

/* pause.c: the verbs that stop a whole farm from taking connections, and let it go on: pause, resume. */

#include <inttypes.h>
#include <stdio.h>

#include "act.h"
#include "verbs.h"
#include "system/printable.h"

static int set_paused(struct score *score, bool paused)
{
	struct score_totals totals;
	int r = score_pause(score, paused);

	if (r < 0)
		return r;
	if (r == 0)
		act_tell(paused ? "pause" : "resume", NULL, paused ? "running" : "paused", paused ? "paused" : "running");
	if (score_totals(score, &totals) == 0)
		print(stdout, "the farm %s%s; %" PRIu64 " connection%s go%s on, %" PRIu64 " wait%s\n",
		      r > 0 ? paused ? "is already " : "was not " : paused ? "is " : "goes on",
		      r > 0 || paused ? "paused" : "", totals.busy, totals.busy == 1 ? "" : "s",
		      totals.busy == 1 ? "es" : "", totals.waiting, totals.waiting == 1 ? "s" : "");
	return STATUS_OK;
}

static int pause_farm(const struct context *context, struct score *score)
{
	(void)context;
	return set_paused(score, true);
}

static int resume_farm(const struct context *context, struct score *score)
{
	(void)context;
	return set_paused(score, false);
}

const struct action verb_pause = {
	.verb = {
		.name = "pause", .arguments = "", .also = "stop freeze",
		.help = "let every new connection wait; present ones go on",
	},
	.change = pause_farm,
};

const struct action verb_resume = {
	.verb = {
		.name = "resume", .arguments = "", .also = "start continue unpause",
		.help = "let a paused farm go on",
	},
	.change = resume_farm,
};
