/* SPDX-License-Identifier: GPL-3.0-or-later */

/* help.c: the verb help: prints what --help of the program or of a verb prints. */

#include "verbs.h"

static int run_help(void *settings, int argc, char **argv)
{
	const struct verb *verb = argc > 0 ? command_find_verb(&command, argv[0]) : NULL;

	(void)settings;
	if (argc > 0 && !verb) {
		(void)command_unknown_verb(&command, argv[0]);
		return STATUS_USAGE;
	}
	command_help(&command, verb);
	return STATUS_OK;
}

const struct verb verb_help = {
	.name = "help", .arguments = "[VERB]", .max = 1, .run = run_help,
	.help = "tell what a verb does, its options, and its columns",
};
