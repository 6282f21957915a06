/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * options.c: one table that both reads the options and documents them.
 */

#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "congestion.h"
#include "system/timespan.h"

struct rule {
	const char *name;
	char letter;               /* 0: long form only */
	const char *argument;      /* NULL: takes none */
	const char *help;
	const char *expected;      /* what set() wants */
	int (*set)(struct options *options, const char *value);
};

static int set_nodes(struct options *options, const char *value)
{
	options->nodes = value;
	return 0;
}

static int set_scoreboard(struct options *options, const char *value)
{
	options->scoreboard = value;
	return *value ? 0 : -EINVAL;
}

static int set_policy(struct options *options, const char *value)
{
	options->settings.policy = policy_from_string(value);
	return options->settings.policy == POLICY_INVALID_ ? -EINVAL : 0;
}

static int set_connect_timeout(struct options *options, const char *value)
{
	int r = timespan_parse(value, &options->settings.connect_timeout_usec);

	return r < 0 ? r : options->settings.connect_timeout_usec ? 0 : -EINVAL;
}

static int set_idle_timeout(struct options *options, const char *value)
{
	return timespan_parse(value, &options->settings.idle_timeout_usec);
}

static int parse_number(const char *value, size_t *ret)
{
	unsigned long number;
	char *end;

	if (*value < '0' || *value > '9')
		return -EINVAL;
	errno = 0;
	number = strtoul(value, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*ret = number;
	return 0;
}

static int set_queue_limit(struct options *options, const char *value)
{
	return parse_number(value, &options->settings.queue_limit);
}

static int set_connections_per_relay(struct options *options, const char *value)
{
	int r = parse_number(value, &options->settings.connections_per_relay);

	return r < 0 ? r : options->settings.connections_per_relay ? 0 : -EINVAL;
}

static int set_queue_timeout(struct options *options, const char *value)
{
	return timespan_parse(value, &options->settings.queue_timeout_usec);
}

static int set_down_timeout(struct options *options, const char *value)
{
	return timespan_parse(value, &options->settings.down_timeout_usec);
}

static int set_retry_after(struct options *options, const char *value)
{
	int r = timespan_parse(value, &options->settings.retry_after_usec);

	return r < 0 ? r : options->settings.retry_after_usec ? 0 : -EINVAL;
}

static int set_congestion_control(struct options *options, const char *value)
{
	(void)options;
	return congestion_choose(value);
}

static int set_exit_idle(struct options *options, const char *value)
{
	options->settings.exit_idle = true;
	return timespan_parse(value, &options->settings.exit_idle_usec);
}

static int set_abandon_on_eof(struct options *options, const char *value)
{
	(void)value;
	options->settings.abandon_on_eof = true;
	return 0;
}

static int set_user(struct options *options, const char *value)
{
	options->user = value;
	return *value ? 0 : -EINVAL;
}

static int set_verbose(struct options *options, const char *value)
{
	(void)value;
	options->settings.verbose++;
	return 0;
}

static int print_version(struct options *options, const char *value)
{
	(void)options;
	(void)value;
	(void)printf("cbrelay (corebalance) %s\n", VERSION);
	return 1;
}

static int print_help(struct options *options, const char *value);

#define TIME "a time, as in 1min 30s"

static const struct rule rules[] = {
	{ "config", 'c', "FILE", "node list [" SCORE_DEFAULT_NODES "]", "a file", set_nodes },
	{ "scoreboard", 's', "FILE", "scoreboard [$COREBALANCE_SCOREBOARD or " SCORE_DEFAULT_PATH "]",
	  "a file", set_scoreboard },
	{ "policy", 0, "NAME", "which node: fastest, order, spread, roundrobin [fastest]",
	  "fastest, order, spread or roundrobin", set_policy },
	{ "connect-timeout", 0, "TIME", "for each address of a node [5s]", TIME ", above 0", set_connect_timeout },
	{ "idle-timeout", 0, "TIME", "end a connection that was silent so long [0, off]", TIME, set_idle_timeout },
	{ "queue-limit", 0, "N", "let at most N wait here, the rest in the kernel's backlog [0, off]",
	  "a number", set_queue_limit },
	{ "queue-timeout", 0, "TIME", "end a client that waited so long for busy nodes [0, off]", TIME, set_queue_timeout },
	{ "down-timeout", 0, "TIME", "end a client that waited so long while no node is up [0, off]",
	  TIME, set_down_timeout },
	{ "retry-after", 0, "TIME", "try a node that failed again after it, doubling to 16 times it [30s]",
	  TIME ", above 0", set_retry_after },
	{ "connections-per-relay", 0, "N", "as a listener, replace a relay after so many; 1: a process each [100]",
	  "a number, above 0", set_connections_per_relay },
	{ "congestion-control", 0, "NAME", "of TCP: auto, system, or one of the kernel's [auto]",
	  "auto, system, or a name of net.ipv4.tcp_available_congestion_control that this user may choose",
	  set_congestion_control },
	{ "exit-idle", 0, "TIME", "as a listener, exit after so long without connections [off]", TIME, set_exit_idle },
	{ "abandon-on-eof", 0, NULL, "a waiting client that closed its side has left", NULL, set_abandon_on_eof },
	{ "user", 0, "NAME", "as root and stand-alone, become this user once listening", "a user", set_user },
	{ "verbose", 'v', NULL, "say more", NULL, set_verbose },
	{ "version", 'V', NULL, "print the version and exit", NULL, print_version },
	{ "help", 'h', NULL, "print this and exit", NULL, print_help },
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))
#define LONG_ONLY 256 /* getopt value of the first rule without a letter */

static int print_help(struct options *options, const char *value)
{
	(void)options;
	(void)value;
	(void)printf("Usage:\n"
		     " cbrelay [OPTION...]                                  socket-activated, or from inetd\n"
		     " cbrelay [OPTION...] LISTEN [[HOST:]PORT[/CORES]...]  stand-alone\n"
		     "\n"
		     "Give each connection one free core slot of a farm of nodes, and forward it.\n"
		     "\n"
		     "LISTEN is [ADDR:]PORT; HOST defaults to localhost, CORES to 1; without nodes, the\n"
		     "node list is taken.\n"
		     "\n"
		     "Options:\n");
	for (size_t i = 0; i < N_RULES; i++) {
		char left[48];

		(void)snprintf(left, sizeof(left), " %c%c%c --%s%s%s", rules[i].letter ? '-' : ' ',
			       rules[i].letter ? rules[i].letter : ' ', rules[i].letter ? ',' : ' ',
			       rules[i].name, rules[i].argument ? " " : "", rules[i].argument ? rules[i].argument : "");
		(void)printf("%-30s %s\n", left, rules[i].help);
	}
	(void)printf("\nSee cbrelay(8) for more.\n");
	return 1;
}

static int complain(const char *text, const char *value, const char *expected)
{
	(void)fprintf(stderr, "cbrelay: --%s: \"%s\": expected %s\n", text, value, expected);
	return -EINVAL;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	struct option longs[N_RULES + 1];
	char shorts[2 * N_RULES + 2], *p = shorts;
	int c;

	*ret = (struct options){
		.nodes = SCORE_DEFAULT_NODES,
		.settings = {
			.policy = POLICY_FASTEST,
			.connect_timeout_usec = 5 * USEC_PER_SEC,
			.retry_after_usec = 30 * USEC_PER_SEC,
			.connections_per_relay = 100,
		},
	};
	for (size_t i = 0; i < N_RULES; i++) {
		longs[i] = (struct option){
			.name = rules[i].name,
			.has_arg = rules[i].argument ? required_argument : no_argument,
			.val = rules[i].letter ? rules[i].letter : LONG_ONLY + (int)i,
		};
		if (rules[i].letter)
			*p++ = rules[i].letter;
		if (rules[i].letter && rules[i].argument)
			*p++ = ':';
	}
	longs[N_RULES] = (struct option){ 0 };
	*p = '\0';
	argv[0] = program_invocation_short_name; /* what getopt(3) begins its messages with */

	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct rule *rule = NULL;
		int r;

		for (size_t i = 0; i < N_RULES; i++)
			if (longs[i].val == c)
				rule = &rules[i];
		if (!rule) {
			(void)fprintf(stderr, "Try 'cbrelay --help' for more information.\n");
			return -EINVAL;
		}
		r = rule->set(ret, optarg);
		if (r < 0)
			return complain(rule->name, optarg, rule->expected);
		if (r > 0)
			return r;
	}
	ret->arguments = argv + optind;
	ret->n_arguments = argc - optind;
	return 0;
}
