/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * options.c: a row for each option, with the function that sets it.
 */

#include "options.h"

#include <errno.h>

#include "command/command.h"
#include "system/number.h"
#include "system/timespan.h"

#define RUNS_MAX 1000u      /* of --rise and --fall */
#define JOBS_MAX 1000000u
#define INTERVAL_MIN_USEC (10 * USEC_PER_MSEC)

static int set_text(const char **option, const char *value)
{
	*option = value;
	return *value ? 0 : -EINVAL;
}

static int set_time(uint64_t *option_usec, const char *value)
{
	int r = timespan_parse(value, option_usec);

	return r < 0 ? r : *option_usec > 0 ? 0 : -EINVAL;
}

static int set_number(uint32_t *option, const char *value, uint32_t max)
{
	uint64_t number;
	int r = number_parse(value, 1, max, &number);

	if (r == 0)
		*option = (uint32_t)number;
	return r;
}

/* The function that sets a member of struct options by a function above. */
#define SETTER(name, ...) \
	static int set_##name(void *settings, const char *value) \
	{ \
		struct options *options = settings; \
\
		return __VA_ARGS__; \
	}

SETTER(file, set_text(&options->file, value))
SETTER(timeout, set_time(&options->pass.timeout_usec, value))
SETTER(rise, set_number(&options->pass.rules.rise, value, RUNS_MAX))
SETTER(fall, set_number(&options->pass.rules.fall, value, RUNS_MAX))
SETTER(down_after, set_time(&options->pass.rules.down_after_usec, value))
SETTER(jitter, set_time(&options->pass.jitter_usec, value))
SETTER(jobs, set_number(&options->pass.jobs, value, JOBS_MAX))
SETTER(notify, set_text(&options->notify, value))
SETTER(user, set_text(&options->user, value))
SETTER(chroot, set_text(&options->chroot, value))

static int set_interval(void *settings, const char *value)
{
	struct options *options = settings;
	int r = set_time(&options->interval_usec, value);

	return r < 0 ? r : options->interval_usec >= INTERVAL_MIN_USEC ? 0 : -EINVAL;
}

/* N/TIME. */
static int set_flap(void *settings, const char *value)
{
	struct options *options = settings;
	uint64_t n;

	if (number_take(&value, SCORE_FLAPS_MAX, &n) < 0 || n < 1 || *value != '/')
		return -EINVAL;
	options->pass.rules.flaps = (uint32_t)n;
	return set_time(&options->pass.rules.flap_usec, value + 1);
}

static int set_verbose(void *settings, const char *value)
{
	struct options *options = settings;

	(void)value;
	options->pass.verbose = true;
	return 0;
}

#define TIME "a time above 0, such as 3s or 500ms"

static const struct option_row rows[] = {
	FARM_OPTION_ROWS("node list to make the scoreboard from if there is none"),
	{ "file", 0, "FILE", "load this node list first, and anew at each SIGHUP", NULL, "a file", set_file, NULL },
	{ "interval", 0, "TIME", "stay, and make a pass every TIME", "one pass", "a time of 10ms or more", set_interval,
	  NULL },
	{ "timeout", 0, "TIME", "how long each stage of a check may take", "3s", TIME, set_timeout, NULL },
	{ "rise", 0, "N", "so many answers in a row put a node up", "1", "1 to 1000", set_rise, NULL },
	{ "fall", 0, "N", "so many failures in a row take a node down; a node that is up and fails is checked again a "
	  "second later",
	  "2", "1 to 1000", set_fall, NULL },
	{ "down-after", 0, "TIME", "a failure so long after the last success takes a node down whatever --fall says", "off",
	  TIME, set_down_after, NULL },
	{ "flap", 0, "N/TIME", "a node that went down N times within TIME is kept down until it has not failed for TIME",
	  "off", "1 to 8, a slash, and a time above 0, such as 3/10min", set_flap, NULL },
	{ "jitter", 0, "TIME", "begin each node's check somewhere within TIME", "off", TIME, set_jitter, NULL },
	{ "jobs", 0, "N", "how many nodes to check at once", "256", "1 to 1000000", set_jobs, NULL },
	{ "notify", 0, "COMMAND", "run for each change of a node's state, with $COREBALANCE_NODE, _STATE, _OLD, _REASON, "
	  "_DETAIL, _SINCE", NULL, "a command", set_notify, NULL },
	{ "user", 0, "USER", "become this user when the scoreboard is open", NULL, "a user", set_user, NULL },
	{ "chroot", 0, "DIR", "make this folder the root directory when the scoreboard is open", NULL, "a folder",
	  set_chroot, NULL },
	{ "verbose", 'v', NULL, "tell the result of each check", NULL, NULL, set_verbose, NULL },
};

_Static_assert(SCORE_FLAPS_MAX == 8 && RUNS_MAX == 1000 && JOBS_MAX == 1000000, "as the rows say");

static const char *const usage[] = { "[OPTION...]", NULL };

static const struct command command = {
	.name = "cbprobe",
	.usage = usage,
	.about = "Check every node of a farm once, record in the scoreboard which are up and which\n"
		 "are down, and end; or, with --interval, do so again and again.",
	.manual = "cbprobe(8)",
	.options = OPTION_SET(rows),
};

int options_parse(int argc, char **argv, struct options *ret)
{
	struct command_line line;
	int r;

	*ret = (struct options){
		.pass = {
			.rules = { .rise = 1, .fall = 2 },
			.timeout_usec = 3 * USEC_PER_SEC,
			.jobs = 256,
		},
	};
	r = command_parse(&command, argc, argv, ret, &line);
	if (r != 0)
		return r;
	if (farm_options_settle(&ret->farm) < 0)
		return command_complain(&command, NULL, "$COREBALANCE_FARM: \"%s\": expected the name of a farm", ret->farm.name);
	if (line.n_arguments > 0)
		return command_complain(&command, NULL, "\"%s\": expected options only", line.arguments[0]);
	if (ret->interval_usec > 0 && ret->pass.jitter_usec >= ret->interval_usec)
		return command_complain(&command, NULL, "--jitter: expected less than --interval");
	return 0;
}
