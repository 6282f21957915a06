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

static int tell_verbosity(const struct context *context, struct score *score)
{
	struct score_totals totals;
	int r = score_totals(score, &totals); /* any operation reads the verbosity, too */

	(void)context;
	if (r == 0)
		print(stdout, "verbosity %" PRIu32 ": %s\n", score_verbosity(score), verbosity_words(score_verbosity(score)));
	return r;
}

static uint32_t wanted;

static int read_verbosity(const struct context *context)
{
	uint64_t number = 0;

	if (context->n_arguments > 0 && number_parse(context->arguments[0], 0, SCORE_VERBOSITY_MAX, &number) < 0)
		return complain_usage("\"%s\": expected 0, 1 or 2", context->arguments[0]);
	wanted = (uint32_t)number;
	return STATUS_OK;
}

static int set_verbosity(const struct context *context, struct score *score)
{
	char old[16], new[16];
	uint32_t before;
	int r = score_set_verbosity(score, wanted, &before);

	(void)context;
	if (r < 0)
		return r;
	(void)snprintf(old, sizeof(old), "%" PRIu32, before);
	(void)snprintf(new, sizeof(new), "%" PRIu32, wanted);
	if (before != wanted)
		act_tell("verbosity", NULL, old, new);
	if (before == wanted)
		print(stdout, "verbosity is %" PRIu32 " already: ", wanted);
	else
		print(stdout, "verbosity %" PRIu32 " -> %" PRIu32 ": ", before, wanted);
	print(stdout, "%s\n", verbosity_words(wanted));
	return STATUS_OK;
}

_Static_assert(SCORE_VERBOSITY_MAX == 2, "as the message says");

const struct action verb_verbosity = {
	.verb = {
		.name = "verbosity", .arguments = "[0|1|2]", .also = "verbose loglevel", .max = 1,
		.help = "how much relays and the prober log, from now on",
	},
	.read = read_verbosity, .look = tell_verbosity, .change = set_verbosity,
};
