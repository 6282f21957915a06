/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * verbosity.c: the verb verbosity: how much relays and the prober log, while they
 * run. Each of them finds the value in the scoreboard at its next operation.
 */

#include <inttypes.h>
#include <stdio.h>

#include "system/number.h"
#include "system/printable.h"
#include "act.h"
#include "verbs.h"
#include "verbosity.h"

const char *verbosity_words(uint32_t verbosity)
{
	static const char *const words[] = {
		"relays and the prober log what their options say",
		"relays and the prober log as with --verbose",
		"relays and the prober log as with --verbose, and relays every connection",
	};

	return words[verbosity < SCORE_VERBOSITY_MAX ? verbosity : SCORE_VERBOSITY_MAX];
}

static int tell_verbosity(const struct context *context)
{
	struct score_totals totals;
	struct score *score;
	int status = context_look(context, &score), r;

	if (status != STATUS_OK)
		return status;
	r = score_totals(score, &totals); /* any operation reads the verbosity, too */
	if (r == 0)
		print(stdout, "verbosity %" PRIu32 ": %s\n", score_verbosity(score), verbosity_words(score_verbosity(score)));
	(void)score_close(score);
	return r < 0 ? complain_score(context, r) : STATUS_OK;
}

static int set_verbosity(const struct context *context, uint32_t verbosity)
{
	struct score *score;
	char old[16], new[16];
	uint32_t before;
	int status = context_open(context, &score), r;

	if (status != STATUS_OK)
		return status;
	r = score_set_verbosity(score, verbosity, &before);
	(void)score_close(score);
	if (r < 0)
		return complain_score(context, r);
	(void)snprintf(old, sizeof(old), "%" PRIu32, before);
	(void)snprintf(new, sizeof(new), "%" PRIu32, verbosity);
	if (before != verbosity)
		act_tell("verbosity", NULL, old, new);
	if (before == verbosity)
		print(stdout, "verbosity is %" PRIu32 " already: ", verbosity);
	else
		print(stdout, "verbosity %" PRIu32 " -> %" PRIu32 ": ", before, verbosity);
	print(stdout, "%s\n", verbosity_words(verbosity));
	return STATUS_OK;
}

static int run_verbosity(void *settings, int argc, char **argv)
{
	uint64_t number;

	if (argc == 0)
		return tell_verbosity(settings);
	if (number_parse(argv[0], 0, SCORE_VERBOSITY_MAX, &number) < 0)
		return complain_usage("\"%s\": expected 0, 1 or 2", argv[0]);
	return set_verbosity(settings, (uint32_t)number);
}

_Static_assert(SCORE_VERBOSITY_MAX == 2, "as the message says");

const struct verb verb_verbosity = {
	.name = "verbosity", .arguments = "[0|1|2]", .also = "verbose loglevel", .max = 1, .run = run_verbosity,
	.help = "how much relays and the prober log, from now on",
};
