/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbscore.c: one table of verbs and one of options; each both reads the
 * command line and documents it.
 */

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "columns.h"
#include "context.h"
#include "system/standard_fds.h"
#include "verbs.h"

/* Which options a verb has a use for, besides those that every one has. */
enum {
	USES_TABLE = 1 << 0,
	USES_REPAIR = 1 << 1,
	USES_SCORE = 1 << 2,
	USES_EXPORT = 1 << 3,
	USES_POLICY = 1 << 4,
};

static const struct verb {
	const char *name, *arguments, *help;
	int min, max;          /* arguments; max -1: any number */
	unsigned uses;
	int (*run)(const struct context *context, int argc, char **argv);
} verbs[] = {
	{ "list", "", "the nodes (what cbscore does without a verb)", 0, 0, USES_SCORE | USES_TABLE, verb_list },
	{ "slots", "", "the slots that are taken, and by whom", 0, 0, USES_SCORE | USES_TABLE, verb_slots },
	{ "queue", "", "who waits, in order", 0, 0, USES_SCORE | USES_TABLE, verb_queue },
	{ "explain", "[CLIENT]", "which node the next connection gets, and why", 0, 1,
	  USES_SCORE | USES_TABLE | USES_POLICY, verb_explain },
	{ "load", "[FILE]", "make the farm's nodes those of the node list", 0, 1, USES_SCORE, verb_load },
	{ "validate", "[FILE]", "read the node list and tell its mistakes", 0, 1, 0, verb_validate },
	{ "dump", "", "write the farm's nodes as a node list", 0, 0, USES_SCORE, verb_dump },
	{ "add", "LINE", "add a node, written as in the node list", 1, -1, USES_SCORE, verb_add },
	{ "remove", "NODE", "remove a node: no new connections, present ones go on", 1, 1, USES_SCORE, verb_remove },
	{ "set", "NODE KEY=VALUE...", "change cores, flags, speed, backup, check, proxy, check-proxy", 2, -1, USES_SCORE,
	  verb_set },
	{ "down", "NODE [REASON...]", "hold a node: no new connections, present ones go on", 1, -1, USES_SCORE, verb_down },
	{ "up", "NODE", "put a held node back", 1, 1, USES_SCORE, verb_up },
	{ "export", "ipvs", "write the farm as another balancer wants it: for ipvsadm -R", 1, 1, USES_SCORE | USES_EXPORT,
	  verb_export },
	{ "reap", "", "give back what dead processes held", 0, 0, USES_SCORE, verb_reap },
	{ "fsck", "", "compare the scoreboard with itself", 0, 0, USES_SCORE | USES_REPAIR, verb_fsck },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct rule {
	const char *name;
	char letter;
	const char *argument;
	unsigned use;          /* the verbs that have a use for it; 0: all */
	const char *help;
} rules[] = {
	{ "config", 'c', "FILE", 0, "node list [" SCORE_DEFAULT_NODES "]" },
	{ "scoreboard", 's', "FILE", USES_SCORE, "scoreboard [$COREBALANCE_SCOREBOARD or " SCORE_DEFAULT_PATH "]" },
	{ "output", 'o', "COL,...", USES_TABLE, "these columns; +COL,... for the usual ones and these" },
	{ "noheadings", 'n', NULL, USES_TABLE, "no headings" },
	{ "raw", 'r', NULL, USES_TABLE, "raw: plain values, one blank between columns" },
	{ "json", 'J', NULL, USES_TABLE, "JSON" },
	{ "sort", 'S', "COL", USES_TABLE, "sort by a column" },
	{ "policy", 'P', "NAME", USES_POLICY, "with explain: fastest, order, spread, roundrobin [fastest]" },
	{ "top", 'T', "N", USES_POLICY, "with explain: so many nodes, 0 for all [20; all in raw and JSON]" },
	{ "repair", 'R', NULL, USES_REPAIR, "with fsck: mend what it finds" },
	{ "service", 'E', "SERVICE", USES_EXPORT, "with export: tcp:ADDRESS:PORT or fwmark:NUMBER" },
	{ "scheduler", 'D', "NAME", USES_EXPORT, "with export: the kernel's way to choose [wlc]" },
	{ "forward", 'F', "HOW", USES_EXPORT, "with export: masq, gatewaying or ipip [masq]" },
	{ "version", 'V', NULL, 0, "print the version and exit" },
	{ "help", 'h', NULL, 0, "print this and exit" },
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

/* These have no short form: their letters only number them. */
static bool has_short(const struct rule *rule)
{
	return !strchr("SREDFPT", rule->letter);
}

static void print_columns(enum table_kind kind)
{
	(void)printf("\nColumns of %s:\n", kind == TABLE_NODES ? "list" : table_name(kind));
	for (size_t i = 0; i < n_columns; i++)
		if (columns[i].table == kind)
			(void)printf("  %-10s %s%s\n", columns[i].name, columns[i].help, columns[i].shown ? "" : " (-o)");
}

static void print_help(void)
{
	(void)printf("Usage:\n cbscore [OPTION...] [VERB [ARGUMENT...]]\n\n"
		     "Look at and change the scoreboard of a farm.\n\nVerbs:\n");
	for (size_t i = 0; i < N_VERBS; i++) {
		char left[40];

		(void)snprintf(left, sizeof(left), "%s %s", verbs[i].name, verbs[i].arguments);
		(void)printf("  %-22s %s\n", left, verbs[i].help);
	}
	(void)printf("\nOptions:\n");
	for (size_t i = 0; i < N_RULES; i++) {
		bool brief = has_short(&rules[i]);
		char left[40];

		(void)snprintf(left, sizeof(left), "%c%c%c --%s%s%s", brief ? '-' : ' ', brief ? rules[i].letter : ' ',
			       brief ? ',' : ' ', rules[i].name, rules[i].argument ? " " : "",
			       rules[i].argument ? rules[i].argument : "");
		(void)printf("  %-22s %s\n", left, rules[i].help);
	}
	for (enum table_kind kind = 0; kind < TABLE_KINDS_; kind++)
		print_columns(kind);
	(void)printf("\nSee cbscore(1) for more.\n");
}

static int unknown_verb(const char *word)
{
	char known[1024];
	size_t used = 0;

	for (size_t i = 0; i < N_VERBS && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, " %s", verbs[i].name);
	return complain_usage("unknown verb: \"%s\": expected one of%s", word, known);
}

static const struct verb *verb_find(const char *word)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (strcmp(verbs[i].name, word) == 0)
			return &verbs[i];
	return NULL;
}

static void set_option(struct context *context, char letter, const char *value)
{
	switch (letter) {
	case 'c':
		context->nodes = value;
		break;
	case 's':
		context->scoreboard = value;
		break;
	case 'o':
		context->output = value;
		break;
	case 'S':
		context->sort = value;
		break;
	case 'P':
		context->policy = value;
		break;
	case 'T':
		context->top = value;
		break;
	case 'n':
		context->no_headings = true;
		break;
	case 'r':
		context->raw = true;
		break;
	case 'J':
		context->json = true;
		break;
	case 'R':
		context->repair = true;
		break;
	case 'E':
		context->service = value;
		break;
	case 'D':
		context->scheduler = value;
		break;
	case 'F':
		context->forward = value;
		break;
	default:
		abort(); /* in the table, but not here */
	}
}

/* Reads all options into *context; ret_given[i] says whether rules[i] was among them. -1: go on; else a status. */
static int parse(int argc, char **argv, struct context *context, bool ret_given[static N_RULES])
{
	struct option longs[N_RULES + 1];
	char shorts[2 * N_RULES + 1], *p = shorts;
	int c;

	for (size_t i = 0; i < N_RULES; i++) {
		longs[i] = (struct option){
			.name = rules[i].name, .val = rules[i].letter,
			.has_arg = rules[i].argument ? required_argument : no_argument,
		};
		if (!has_short(&rules[i]))
			continue;
		*p++ = rules[i].letter;
		if (rules[i].argument)
			*p++ = ':';
	}
	*p = '\0';
	longs[N_RULES] = (struct option){ 0 };
	argv[0] = program_invocation_short_name; /* what getopt(3) begins its messages with */

	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == '?') {
			(void)fputs("Try 'cbscore --help' for more information.\n", stderr);
			return STATUS_USAGE;
		}
		if (c == 'h') {
			print_help();
			return STATUS_OK;
		}
		if (c == 'V') {
			(void)printf("cbscore (corebalance) %s\n", VERSION);
			return STATUS_OK;
		}
		for (size_t i = 0; i < N_RULES; i++)
			if (rules[i].letter == c)
				ret_given[i] = true;
		set_option(context, (char)c, optarg);
	}
	return -1;
}

static int run(int argc, char **argv, const struct context *context, const bool given[static N_RULES])
{
	const struct verb *verb = verb_find(argc > 0 ? argv[0] : "list");

	if (!verb)
		return unknown_verb(argv[0]);
	if (argc > 0) {
		argc--;
		argv++;
	}
	if (argc < verb->min || (verb->max >= 0 && argc > verb->max))
		return complain_usage("%s: expected: cbscore %s%s%s", verb->name, verb->name,
				      *verb->arguments ? " " : "", verb->arguments);
	for (size_t i = 0; i < N_RULES; i++)
		if (given[i] && rules[i].use & ~verb->uses)
			return complain_usage("%s: has no use for --%s", verb->name, rules[i].name);
	if (context->raw && context->json)
		return complain_usage("--raw and --json: expected one of them");
	return verb->run(context, argc, argv);
}

int main(int argc, char **argv)
{
	struct context context = { .nodes = SCORE_DEFAULT_NODES, .scoreboard = score_default_path() };
	bool given[N_RULES] = { false };
	int status;

	if (standard_fds_occupy() < 0)
		return STATUS_FAILED; /* and nowhere to say so */
	(void)setlocale(LC_ALL, "");
	(void)setlocale(LC_NUMERIC, "C"); /* a decimal point in every country: others read this */
	status = parse(argc, argv, &context, given);
	if (status < 0)
		status = run(argc - optind, argv + optind, &context, given);
	/* A full disk must not look like success. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("cannot write: %s", strerror(errno));
		return STATUS_FAILED;
	}
	return status;
}
