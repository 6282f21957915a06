/* SPDX-License-Identifier: GPL-3.0-or-later */

/* repair.c: the verbs that put right what dead processes left behind: reap, fsck. */

#include <errno.h>
#include <stdio.h>

#include "act.h"
#include "verbs.h"
#include "system/printable.h"

static bool arg_repair;

static int run_reap(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	unsigned slots, tickets;
	struct score *score;
	int r, status;

	(void)argc;
	(void)argv;
	status = context_look(context, &score);
	if (status != STATUS_OK)
		return status;
	r = score_reap(score, &slots, &tickets);
	(void)score_close(score);
	if (r < 0)
		return complain_score(context, r);
	print(stdout, "reaped %u slot%s, %u waiter%s\n", slots, slots == 1 ? "" : "s", tickets, tickets == 1 ? "" : "s");
	return STATUS_OK;
}

static void tell(const char *finding, void *arg)
{
	(void)arg;
	print(stdout, "%s\n", finding);
}

static int run_fsck(void *settings, int argc, char **argv)
{
	const struct context *context = settings;
	struct score *score;
	char text[ACT_TEXT_MAX];
	unsigned findings;
	int r, status;

	(void)argc;
	(void)argv;
	if (!arg_repair && score_exists(context->farm.scoreboard) == 1) {
		/* Only to look: a damaged scoreboard stays as it is. */
		r = score_open(context->farm.scoreboard, NULL, &score);
		status = r == 0 ? STATUS_OK : complain_score(context, r == -ENODATA ? -EUCLEAN : r);
	} else {
		status = context_look(context, &score);
	}
	if (status != STATUS_OK)
		return status;
	r = score_fsck(score, arg_repair, tell, NULL, &findings);
	(void)score_close(score);
	if (r < 0)
		return complain_score(context, r);
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

static int set_repair(void *settings, const char *value)
{
	(void)settings;
	(void)value;
	arg_repair = true;
	return 0;
}

static const struct option_row rows[] = {
	{ "repair", 0, NULL, "repair what it finds", NULL, NULL, set_repair, NULL },
};

static const struct option_set options = OPTION_SET(rows);

const struct verb verb_reap = {
	.name = "reap", .arguments = "", .run = run_reap,
	.help = "give back what dead processes held",
};

const struct verb verb_fsck = {
	.name = "fsck", .arguments = "", .also = "check-scoreboard repair", .options = { &options }, .run = run_fsck,
	.help = "compare the scoreboard with itself",
};
