/* SPDX-License-Identifier: GPL-3.0-or-later */

/* mend.c: the verbs that put right what the dead left behind: reap, fsck. */

#include <errno.h>
#include <stdio.h>

#include "verbs.h"

int verb_reap(const struct context *context, int argc, char **argv)
{
	unsigned slots, tickets;
	struct score *score;
	int r, status;

	(void)argc;
	(void)argv;
	status = context_open(context, &score);
	if (status != STATUS_OK)
		return status;
	r = score_reap(score, &slots, &tickets);
	(void)score_close(score);
	if (r < 0)
		return complain_score(context, r);
	(void)printf("reaped %u slot%s, %u waiter%s\n", slots, slots == 1 ? "" : "s", tickets, tickets == 1 ? "" : "s");
	return STATUS_OK;
}

static void tell(const char *finding, void *arg)
{
	(void)arg;
	(void)printf("%s\n", finding);
}

int verb_fsck(const struct context *context, int argc, char **argv)
{
	struct score *score;
	unsigned findings;
	int r, status;

	(void)argc;
	(void)argv;
	if (!context->repair && score_exists(context->scoreboard) == 1) {
		/* To look only: one that is damaged stays so. */
		r = score_open(context->scoreboard, NULL, &score);
		status = r == 0 ? STATUS_OK : complain_score(context, r == -ENODATA ? -EUCLEAN : r);
	} else {
		status = context_open(context, &score);
	}
	if (status != STATUS_OK)
		return status;
	r = score_fsck(score, context->repair, tell, NULL, &findings);
	(void)score_close(score);
	if (r < 0)
		return complain_score(context, r);
	if (findings == 0)
		(void)printf("%s: sound\n", context->scoreboard);
	else
		(void)printf("%s: %u finding%s%s\n", context->scoreboard, findings, findings == 1 ? "" : "s",
			     context->repair ? ", mended" : "");
	return findings > 0 && !context->repair ? STATUS_FAILED : STATUS_OK;
}
