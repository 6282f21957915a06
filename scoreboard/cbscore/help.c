/* SPDX-License-Identifier: GPL-3.0-or-later */

/* help.c: the verb help: prints what --help of the program or of a verb prints. */

#include "verbs.h"

static int help(const struct context *context)
{
	const char *name = context->n_arguments > 0 ? context->arguments[0] : NULL;
	const struct verb *verb = name ? command_find_verb(&command, name) : NULL;

	if (name && !verb) {
		(void)command_unknown_verb(&command, name);
		return STATUS_USAGE;
	}
	command_help(&command, verb);
	return STATUS_OK;
}

const struct action verb_help = {
	.verb = {
		.name = "help", .arguments = "[VERB]", .max = 1,
		.help = "what a verb does, its options, and its columns",
	},
	.run = help, .no_stand_alone = true,
};
