/* SPDX-License-Identifier: GPL-3.0-or-later */

/* repair.c: the verbs that put right what dead processes left behind: reap, fsck. */

#include <errno.h>
#include <stdio.h>

#include "act.h"
#include "verbs.h"
#include "system/printable.h"

static bool arg_repair;

static int reap(const struct context *context, struct score *score)
{
	unsigned slots, tickets;
	int r = score_reap(score, &slots, &tickets);

	(void)context;
	if (r < 0)
		return r;
	print(stdout, "reaped %u slot%s, %u waiter%s\n", slots, slots == 1 ? "" : "s", tickets, tickets == 1 ? "" : "s");
	return STATUS_OK;
}

/* ---- fsck ---- */

static void tell(const char *finding, void *arg)
{
	(void)arg;
	print(stdout, "%s\n", finding);
}

static int fsck(const struct context *context, struct score *score)
{
	char text[ACT_TEXT_MAX];
	unsigned findings;
	int r = score_fsck(score, arg_repair, tell, NULL, &findings);

	if (r < 0)
		return r;
	if (findings > 0 && arg_repair) {
		(void)snprintf(text, sizeof(text), "%u repaired", findings);
		act_tell("fsck", NULL, NULL, text);
	}
	if (findings == 0)
		print(stdout, "%s: sound\n", context->farm.scoreboard);
	else
		print(stdout, "%s: %u finding%s%s\n", context->farm.scoreboard, findings, findings == 1 ? "" : "s",
		      arg_repair ? ", repaired" : "");
	return findings > 0 && !arg_repair ? STATUS_FAILED : STATUS_OK;
}

/* A scoreboard that is opened in the usual way is rebuilt if it is damaged. */
static const struct action fsck_rebuilding = { .look = fsck };

static int run_fsck(const struct context *context)
{
	struct score *score;
	int r;

	if (arg_repair || score_exists(context->farm.scoreboard) != 1)
		return action_run(&fsck_rebuilding, context);
	/* Only to look: a damaged scoreboard stays as it is. */
	r = score_open(context->farm.scoreboard, NULL, &score);
	if (r == 0) {
		r = fsck(context, score);
		(void)score_close(score);
	}
	return r < 0 ? complain_score(context, r == -ENODATA ? -EUCLEAN : r) : r;
}

OPTION_FLAG(set_repair, arg_repair)

static const struct option_row rows[] = {
	{ "repair", 0, NULL, "repair what it finds", NULL, NULL, set_repair, NULL },
};

static const struct option_set options = OPTION_SET(rows);

const struct action verb_reap = {
	.verb = {
		.name = "reap", .arguments = "",
		.help = "give back what dead processes held",
	},
	.look = reap,
};

const struct action verb_fsck = {
	.verb = {
		.name = "fsck", .arguments = "", .also = "check-scoreboard repair", .options = { &options },
		.help = "compare the scoreboard with itself",
	},
	.run = run_fsck,
};
