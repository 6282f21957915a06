/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbprobe.c: the program: options, the scoreboard, one pass, and what it says
 * by its exit status.
 */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "pass.h"
#include "quit.h"
#include "say.h"
#include "scoreboard.h"
#include "standard_fds.h"
#include "timespan.h"

#define EXIT_OWN_FAULT 1    /* no node could be reached, by this machine's fault */
#define RUNS_MAX 1000u      /* of --rise and --fall */
#define JOBS_MAX 1000000u
#define DESCRIPTORS_KEPT 32 /* for all that is no check */

static const char *arg_config = SCORE_DEFAULT_NODES;
static const char *arg_scoreboard;
static struct pass_options arg_pass = {
	.rules = { .rise = 1, .fall = 2 },
	.timeout_usec = 3 * USEC_PER_SEC,
	.jobs = 256,
};

static const char help_text[] =
	"Usage: cbprobe [OPTION...]\n"
	"Checks every node of a farm once, puts down in the scoreboard which are up and\n"
	"which are down, and ends.\n"
	"\n"
	"  -c, --config FILE      node list to make the scoreboard from if there is none\n"
	"                         (" SCORE_DEFAULT_NODES ")\n"
	"  -s, --scoreboard FILE  scoreboard ($COREBALANCE_SCOREBOARD, else\n"
	"                         " SCORE_DEFAULT_PATH ")\n"
	"      --timeout TIME     how long a node may take to answer (3s)\n"
	"      --rise N           so many answers in a row put a node up (1)\n"
	"      --fall N           so many failures in a row take it down (2); one that is\n"
	"                         up and fails is tried again a second later\n"
	"      --jobs N           how many nodes to check at once (256)\n"
	"  -v, --verbose          tell the result of each check\n"
	"  -V, --version          show the version\n"
	"  -h, --help             show this help\n"
	"\n"
	"TIME is as in systemd.time(7): 500ms, 3s, 1min 30s.\n"
	"See cbprobe(8).\n";

enum {
	OPTION_TIMEOUT = 256,
	OPTION_RISE,
	OPTION_FALL,
	OPTION_JOBS,
};

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "scoreboard", required_argument, NULL, 's' },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "rise", required_argument, NULL, OPTION_RISE },
	{ "fall", required_argument, NULL, OPTION_FALL },
	{ "jobs", required_argument, NULL, OPTION_JOBS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Says on stdout what was asked for, and ends. */
static _Noreturn void answer(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
		say(LOG_ERR, "standard output: %s", strerror(errno));
		exit(EX_OSERR);
	}
	exit(EXIT_SUCCESS);
}

static int parse_number(const char *name, const char *text, uint32_t max, uint32_t *ret)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || value < 1 || value > max) {
		say(LOG_ERR, "--%s: \"%s\": expected 1 to %u", name, text, max);
		return -EINVAL;
	}
	*ret = (uint32_t)value;
	return 0;
}

static int parse_time(const char *name, const char *text, uint64_t *ret_usec)
{
	uint64_t usec = 0;

	if (timespan_parse(text, &usec) < 0 || usec == 0) {
		say(LOG_ERR, "--%s: \"%s\": expected a time, such as 3s or 500ms", name, text);
		return -EINVAL;
	}
	*ret_usec = usec;
	return 0;
}

/* The option of that getopt value was given. 0 or -EINVAL, which was said. */
static int set_option(int c)
{
	switch (c) {
	case 'c':
		arg_config = optarg;
		return 0;
	case 's':
		arg_scoreboard = optarg;
		return 0;
	case 'v':
		arg_pass.verbose = true;
		return 0;
	case OPTION_TIMEOUT:
		return parse_time("timeout", optarg, &arg_pass.timeout_usec);
	case OPTION_RISE:
		return parse_number("rise", optarg, RUNS_MAX, &arg_pass.rules.rise);
	case OPTION_FALL:
		return parse_number("fall", optarg, RUNS_MAX, &arg_pass.rules.fall);
	case OPTION_JOBS:
		return parse_number("jobs", optarg, JOBS_MAX, &arg_pass.jobs);
	case 'h':
		answer(help_text);
	case 'V':
		answer("cbprobe (corebalance) " VERSION "\n");
	default:
		return -EINVAL;
	}
}

static int parse_argv(int argc, char *argv[])
{
	int c;

	argv[0] = program_invocation_short_name; /* what getopt(3) begins its messages with */
	while ((c = getopt_long(argc, argv, "c:s:vVh", options, NULL)) != -1) {
		if (c == '?') {
			(void)fputs("Try 'cbprobe --help' for more information.\n", stderr);
			return -EINVAL;
		}
		if (set_option(c) < 0)
			return -EINVAL;
	}
	if (optind < argc) {
		say(LOG_ERR, "\"%s\": expected options only", argv[optind]);
		return -EINVAL;
	}
	if (!arg_scoreboard)
		arg_scoreboard = score_default_path();
	return 0;
}

/* Each check takes a descriptor: raises the limit as far as we may, and keeps to it. */
static void limit_jobs(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur <= DESCRIPTORS_KEPT)
		arg_pass.jobs = 1;
	else if (arg_pass.jobs > limit.rlim_cur - DESCRIPTORS_KEPT)
		arg_pass.jobs = (uint32_t)(limit.rlim_cur - DESCRIPTORS_KEPT);
}

/* Says what is wrong with the scoreboard, and which exit status that is. */
static int complain_scoreboard(int r)
{
	say(LOG_ERR, "%s: %s", arg_scoreboard, score_strerror(r));
	switch (r) {
	case -EBADMSG:
	case -EPROTO:
	case -EUCLEAN:
	case -ENODATA:
		return EX_CONFIG; /* the wrong file was named, or a broken one */
	default:
		return EX_OSERR;
	}
}

/* Reads the node list into *ret, which the caller clears. 0, or an exit status after it was said why. */
static int read_nodelist(struct nodelist *ret)
{
	int r = nodelist_read(arg_config, ret);

	if (r < 0) {
		say(LOG_ERR, "%s: %s", arg_config, strerror(-r));
		return r == -ENOMEM ? EX_OSERR : EX_CONFIG;
	}
	for (size_t i = 0; i < ret->n_errors; i++)
		say(LOG_ERR, "%s", ret->errors[i]);
	return ret->n_errors > 0 ? EX_CONFIG : 0;
}

/* Opens the scoreboard, made from the node list if need be. 0, or an exit status after it was said why. */
static int open_scoreboard(struct score **ret)
{
	struct nodelist list = { 0 };
	int status, r = score_open(arg_scoreboard, NULL, ret);

	if (r != -ENODATA)
		return r < 0 ? complain_scoreboard(r) : 0;
	status = read_nodelist(&list);
	if (status == 0) {
		r = score_open(arg_scoreboard, &list, ret);
		status = r < 0 ? complain_scoreboard(r) : 0;
	}
	nodelist_clear(&list);
	return status;
}

int main(int argc, char *argv[])
{
	struct score *score;
	int status, r;

	if (standard_fds_occupy() < 0)
		return EX_OSERR; /* and nowhere to say so */
	if (parse_argv(argc, argv) < 0)
		return EX_USAGE;
	quit_setup();
	limit_jobs();
	status = open_scoreboard(&score);
	if (status != 0)
		return status;
	r = pass_run(score, &arg_pass);
	if (r < 0)
		status = complain_scoreboard(r);
	if (status == EX_CONFIG)
		status = EX_SOFTWARE; /* it was in order when we opened it */
	if (r > 0)
		status = EXIT_OWN_FAULT;
	(void)score_close(score);
	return status;
}
