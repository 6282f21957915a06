/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbprobe.c: the program: options, the scoreboard, one pass or one after the
 * other, and what it says by its exit status.
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
#include <time.h>

#include "beside.h"
#include "notify.h"
#include "null.h"
#include "pass.h"
#include "privilege.h"
#include "quit.h"
#include "resident.h"
#include "say.h"
#include "scoreboard.h"
#include "service.h"
#include "system/standard_fds.h"
#include "system/timespan.h"

#define EXIT_OWN_FAULT 1    /* no node could be reached, by this machine's fault */
#define RUNS_MAX 1000u      /* of --rise and --fall */
#define JOBS_MAX 1000000u
#define DESCRIPTORS_KEPT 64 /* for all that is no check */
#define INTERVAL_MIN_USEC (10 * USEC_PER_MSEC)
#define EXIT_PAUSE_USEC (500 * USEC_PER_MSEC) /* so that whoever starts us again and again does not spin */

static const char *arg_config = SCORE_DEFAULT_NODES;
static const char *arg_file;
static const char *arg_scoreboard;
static const char *arg_notify;
static const char *arg_user;
static const char *arg_chroot;
static uint64_t arg_interval_usec; /* 0: one pass */
static struct pass_options arg_pass = {
	.rules = { .rise = 1, .fall = 2 },
	.timeout_usec = 3 * USEC_PER_SEC,
	.jobs = 256,
};

static const char help_text[] =
	"Usage: cbprobe [OPTION...]\n"
	"Checks every node of a farm once, puts down in the scoreboard which are up and\n"
	"which are down, and ends; or, with --interval, does so again and again.\n"
	"\n"
	"  -c, --config FILE      node list to make the scoreboard from if there is none\n"
	"                         (" SCORE_DEFAULT_NODES ")\n"
	"  -s, --scoreboard FILE  scoreboard ($COREBALANCE_SCOREBOARD, else\n"
	"                         " SCORE_DEFAULT_PATH ")\n"
	"      --file FILE        load this node list first, and anew at each SIGHUP\n"
	"      --interval TIME    stay, and make a pass every TIME\n"
	"      --timeout TIME     how long a node may take to answer (3s)\n"
	"      --rise N           so many answers in a row put a node up (1)\n"
	"      --fall N           so many failures in a row take it down (2); one that is\n"
	"                         up and fails is tried again a second later\n"
	"      --down-after TIME  a failure so long after the last success takes it down\n"
	"                         whatever --fall says\n"
	"      --flap N/TIME      one that went down N times within TIME is kept down until\n"
	"                         it has not failed for TIME\n"
	"      --jitter TIME      begin each node's check somewhere within TIME\n"
	"      --jobs N           how many nodes to check at once (256)\n"
	"      --notify COMMAND   run for each change of a node's state, with\n"
	"                         $COREBALANCE_NODE, _STATE, _OLD, _REASON, _DETAIL, _SINCE\n"
	"      --user NAME        become this user when everything is open\n"
	"      --chroot DIR       and see nothing outside of this folder\n"
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
	OPTION_FILE,
	OPTION_INTERVAL,
	OPTION_DOWN_AFTER,
	OPTION_FLAP,
	OPTION_JITTER,
	OPTION_NOTIFY,
	OPTION_USER,
	OPTION_CHROOT,
};

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "scoreboard", required_argument, NULL, 's' },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "rise", required_argument, NULL, OPTION_RISE },
	{ "fall", required_argument, NULL, OPTION_FALL },
	{ "jobs", required_argument, NULL, OPTION_JOBS },
	{ "file", required_argument, NULL, OPTION_FILE },
	{ "interval", required_argument, NULL, OPTION_INTERVAL },
	{ "down-after", required_argument, NULL, OPTION_DOWN_AFTER },
	{ "flap", required_argument, NULL, OPTION_FLAP },
	{ "jitter", required_argument, NULL, OPTION_JITTER },
	{ "notify", required_argument, NULL, OPTION_NOTIFY },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "chroot", required_argument, NULL, OPTION_CHROOT },
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
		say(LOG_ERR, "--%s: \"%s\": expected a time above 0, such as 3s or 500ms", name, text);
		return -EINVAL;
	}
	*ret_usec = usec;
	return 0;
}

static int parse_interval(const char *text)
{
	if (parse_time("interval", text, &arg_interval_usec) < 0)
		return -EINVAL;
	if (arg_interval_usec < INTERVAL_MIN_USEC) {
		say(LOG_ERR, "--interval: \"%s\": expected 10ms or more", text);
		return -EINVAL;
	}
	return 0;
}

/* N/TIME. */
static int parse_flap(const char *text)
{
	unsigned long n;
	uint64_t usec = 0;
	char *end;

	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '/' || n < 1 || n > SCORE_FLAPS_MAX ||
	    timespan_parse(end + 1, &usec) < 0 || usec == 0) {
		say(LOG_ERR, "--flap: \"%s\": expected 1 to %d, a slash, and a time above 0, such as 3/10min", text, SCORE_FLAPS_MAX);
		return -EINVAL;
	}
	arg_pass.rules.flaps = (uint32_t)n;
	arg_pass.rules.flap_usec = usec;
	return 0;
}

static int parse_text(const char *name, const char *text, const char **ret)
{
	if (!*text) {
		say(LOG_ERR, "--%s: \"\": expected something", name);
		return -EINVAL;
	}
	*ret = text;
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
	case OPTION_FILE:
		return parse_text("file", optarg, &arg_file);
	case OPTION_INTERVAL:
		return parse_interval(optarg);
	case OPTION_DOWN_AFTER:
		return parse_time("down-after", optarg, &arg_pass.rules.down_after_usec);
	case OPTION_FLAP:
		return parse_flap(optarg);
	case OPTION_JITTER:
		return parse_time("jitter", optarg, &arg_pass.jitter_usec);
	case OPTION_NOTIFY:
		return parse_text("notify", optarg, &arg_notify);
	case OPTION_USER:
		return parse_text("user", optarg, &arg_user);
	case OPTION_CHROOT:
		return parse_text("chroot", optarg, &arg_chroot);
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
	if (arg_interval_usec && arg_pass.jitter_usec >= arg_interval_usec) {
		say(LOG_ERR, "--jitter: expected less than --interval");
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
	case -EIDRM:
		return EX_CONFIG; /* the wrong file was named, or a broken one */
	default:
		return EX_OSERR;
	}
}

/* Reads a node list into *ret, which the caller clears. 0, or an exit status after it was said why. */
static int read_nodelist(const char *path, struct nodelist *ret)
{
	int r = nodelist_read(path, ret);

	if (r < 0) {
		say(LOG_ERR, "%s: %s", path, strerror(-r));
		return r == -ENOMEM ? EX_OSERR : EX_CONFIG;
	}
	for (size_t i = 0; i < ret->n_errors; i++)
		say(LOG_ERR, "%s", ret->errors[i]);
	return ret->n_errors > 0 ? EX_CONFIG : 0;
}

static void tell_mended(const char *what)
{
	say(LOG_WARNING, "%s", what);
}

/* Opens the scoreboard, made from a node list if need be. 0, or an exit status after it was said why. */
static int open_scoreboard(const char *path, struct score **ret)
{
	struct nodelist list = { 0 };
	int status, r;

	score_on_mended(tell_mended);
	if (arg_user)
		score_make_for(arg_user); /* whom we become after this */
	r = score_open(arg_scoreboard, NULL, ret);
	if (r != -ENODATA)
		return r < 0 ? complain_scoreboard(r) : 0;
	status = read_nodelist(path, &list);
	if (status == 0) {
		r = score_open(arg_scoreboard, &list, ret);
		status = r < 0 ? complain_scoreboard(r) : 0;
	}
	nodelist_clear(&list);
	return status;
}

/* Makes the farm what --file says. 0, or an exit status after it was said why; *ret_error: the
 * scoreboard's own trouble, or 0. */
static int load_file(struct score *score, int *ret_error)
{
	struct score_load_result result;
	struct nodelist list = { 0 };
	int r, status = read_nodelist(arg_file, &list);

	*ret_error = 0;
	if (status == 0) {
		r = score_load(score, &list, &result);
		if (r < 0) {
			*ret_error = r;
			status = complain_scoreboard(r);
		} else if (result.added + result.changed + result.draining + result.removed > 0) {
			say(LOG_NOTICE, "%s: %u added, %u changed, %u draining, %u removed, %u kept", arg_file, result.added,
			    result.changed, result.draining, result.removed, result.kept);
		}
	}
	nodelist_clear(&list);
	return status;
}

/* For SIGHUP: an error of the list changes nothing. */
static int reload(struct score *score)
{
	int error;

	if (load_file(score, &error) != 0 && error == 0)
		say(LOG_ERR, "%s: not loaded, the nodes stay as they are", arg_file);
	return error;
}

/* What is opened while we still may. 0, or an exit status after it was said why. */
static int open_all(struct score **ret)
{
	char outside[4096];
	const char *list = arg_file ? arg_file : arg_config;
	int r;

	if (arg_file && arg_chroot) {
		/* The file as it is called from here. */
		if ((size_t)snprintf(outside, sizeof(outside), "%s/%s", arg_chroot, arg_file) >= sizeof(outside)) {
			say(LOG_ERR, "%s/%s: %s", arg_chroot, arg_file, strerror(ENAMETOOLONG));
			return EX_CONFIG;
		}
		list = outside;
	}
	r = null_setup();
	if (r < 0) {
		say(LOG_ERR, "/dev/null: %s", strerror(-r));
		return EX_OSERR;
	}
	r = beside_setup();
	if (r == 0 && arg_interval_usec) {
		r = service_setup();
		if (r < 0)
			say(LOG_WARNING, "$NOTIFY_SOCKET: %s, ignoring it", strerror(-r));
		r = 0;
	}
	if (r == 0 && arg_notify)
		r = notify_setup(arg_notify);
	if (r < 0) {
		say(LOG_ERR, "%s", strerror(-r));
		return EX_OSERR;
	}
	return open_scoreboard(list, ret);
}

/* An exit status for privilege.h's. */
static int privilege_status(int r)
{
	switch (r) {
	case 0:
		return 0;
	case -EPERM:
		return EX_NOPERM;
	case -ENOENT:
		return EX_CONFIG;
	default:
		return EX_OSERR;
	}
}

/* One pass, or one after the other. An exit status. */
static int run(struct score *score)
{
	const struct resident_options resident = { arg_interval_usec, arg_file ? reload : NULL };
	int r, status;

	r = arg_interval_usec ? resident_run(score, &arg_pass, &resident) : pass_run(score, &arg_pass);
	notify_finish();
	if (r >= 0)
		return r > 0 ? EXIT_OWN_FAULT : 0;
	status = complain_scoreboard(r);
	return status == EX_CONFIG ? EX_SOFTWARE : status; /* it was in order when we opened it */
}

static void last_words(void)
{
	notify_abandon();
	service_tell("STOPPING=1");
}

int main(int argc, char *argv[])
{
	const struct timespec pause = { .tv_nsec = EXIT_PAUSE_USEC * 1000 };
	struct score *score = NULL;
	int status, error;

	if (standard_fds_occupy() < 0)
		return EX_OSERR; /* and nowhere to say so */
	if (parse_argv(argc, argv) < 0)
		return EX_USAGE;
	quit_setup(last_words, arg_interval_usec > 0);
	limit_jobs();
	status = privilege_status(privilege_check(arg_user, arg_chroot));
	if (status == 0)
		status = open_all(&score);
	if (status == 0)
		status = privilege_status(privilege_drop(arg_user, arg_chroot));
	if (status == 0 && arg_file)
		status = load_file(score, &error);
	if (status == 0)
		score_set_nodes(score, arg_file ? arg_file : arg_config);
	if (status == 0)
		status = run(score);
	(void)score_close(score);
	if (status != 0 && arg_interval_usec)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	return status;
}
