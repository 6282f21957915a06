/* SPDX-License-Identifier: GPL-3.0-or-later */

/* pause.c: the verbs that stop a whole farm from taking connections, and let it go on: pause, resume. */

#include <inttypes.h>
#include <stdio.h>

#include "act.h"
#include "verbs.h"
#include "system/printable.h"

static int set_paused(const struct context *context, bool paused)
{
	struct score_totals totals;
	struct score *score;
	int status = context_open(context, &score), r;

	if (status != STATUS_OK)
		return status;
	r = score_pause(score, paused);
	if (r == 0)
		act_tell(paused ? "pause" : "resume", NULL, paused ? "running" : "paused", paused ? "paused" : "running");
	if (r >= 0 && score_totals(score, &totals) == 0) {
		print(stdout, "the farm %s%s; %" PRIu64 " connection%s go%s on, %" PRIu64 " wait%s\n",
			     r > 0 ? paused ? "is already " : "was not " : paused ? "is " : "goes on",
			     r > 0 || paused ? "paused" : "", totals.busy, totals.busy == 1 ? "" : "s",
			     totals.busy == 1 ? "es" : "", totals.waiting, totals.waiting == 1 ? "s" : "");
	}
	(void)score_close(score);
	return r < 0 ? complain_score(context, r) : STATUS_OK;
}

static int run_pause(void *settings, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return set_paused(settings, true);
}

static int run_resume(void *settings, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return set_paused(settings, false);
}

const struct verb verb_pause = {
	.name = "pause", .arguments = "", .also = "stop freeze", .run = run_pause,
	.help = "let every new connection wait; present ones go on",
};

const struct verb verb_resume = {
	.name = "resume", .arguments = "", .also = "start continue unpause", .run = run_resume,
	.help = "let a paused farm go on",
};
