/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * help.c: prints the tables of a command line: a screen for people, and
 * --help=raw for completion and tests: one row a line, its parts separated by
 * tabs, an empty part as "-":
 *
 *     verb    NAME ARGUMENTS HELP
 *     option  VERB NAME LETTER ARGUMENT OTHERWISE VALUES HELP
 *
 *     column  VERB NAME SHOWN TYPE HELP      (of cbscore)
 *     key     VERB NAME ARGUMENT HELP        (of cbscore)
 *
 * where VERB "-" stands for all verbs, and VALUES are separated by blanks. The
 * rows column and key come from the program's own tell_more().
 */

#include "command.h"

#include <errno.h>
#include <string.h>

#define WIDTH 80u
#define LEFT 26u       /* columns of the left part, where it fits */

static const struct option_row own_rows[] = {
	{ "version", 'V', NULL, "print the version and exit", NULL, NULL, NULL, NULL },
	{ "help", 'h', NULL, "print this and exit; --help=raw is for programs", NULL, NULL, NULL, NULL },
};

const struct option_set command_own_options = OPTION_SET(own_rows);

void command_help_row(const char *left, const char *text)
{
	unsigned column = (unsigned)printf("  %s", left);

	if (!*text) {
		(void)putchar('\n');
		return;
	}
	if (column + 1 > LEFT) {
		(void)putchar('\n');
		column = 0;
	}
	(void)printf("%*s", (int)(LEFT - column), "");
	column = LEFT;
	while (*text) {
		unsigned length = (unsigned)strcspn(text, " ");

		if (column > LEFT && column + 1 + length >= WIDTH) {
			(void)printf("\n%*s", (int)LEFT, "");
			column = LEFT;
		} else if (column > LEFT) {
			(void)putchar(' ');
			column++;
		}
		(void)printf("%.*s", (int)length, text);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	(void)putchar('\n');
}

static void tell_option(const struct option_row *row)
{
	char left[64], text[256], values[128];

	(void)snprintf(left, sizeof(left), "%c%c%c --%s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
		       row->letter ? ',' : ' ', row->name, row->argument ? " " : "", row->argument ? row->argument : "");
	(void)snprintf(text, sizeof(text), "%s%s%s%s%s%s", row->help, row->word ? ": " : "",
		       row->word ? nearest_list(row->word, NULL, values, sizeof(values)) : "",
		       row->otherwise ? " [" : "", row->otherwise ? row->otherwise : "", row->otherwise ? "]" : "");
	command_help_row(left, text);
}

static void tell_set(const struct option_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		tell_option(&set->rows[i]);
}

static void tell_names(const struct option_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		(void)printf(" --%s", set->rows[i].name);
}

static void usage_option(const struct option_row *row, FILE *file)
{
	if (row->letter)
		(void)fprintf(file, " [-%c%s%s]", row->letter, row->argument ? " " : "", row->argument ? row->argument : "");
	else
		(void)fprintf(file, " [--%s%s%s]", row->name, row->argument ? " " : "", row->argument ? row->argument : "");
}

void command_usage(const struct command *command, const struct verb *verb, FILE *file)
{
	(void)fprintf(file, "usage: %s %s%s%s", command->name, verb->name, *verb->arguments ? " " : "", verb->arguments);
	for (size_t i = 0; verb->options[i]; i++)
		for (size_t k = 0; k < verb->options[i]->n; k++)
			usage_option(&verb->options[i]->rows[k], file);
	(void)fputc('\n', file);
}

static void help_of_verb(const struct command *command, const struct verb *verb)
{
	(void)printf("Usage: %s %s%s%s%s\n%c%s.\n", command->name, verb->name, verb->options[0] ? " [OPTION...]" : "",
		     *verb->arguments ? " " : "", verb->arguments, verb->help[0] & ~0x20, verb->help + 1);
	if (verb->options[0])
		(void)printf("\nOptions of %s:\n", verb->name);
	for (size_t i = 0; verb->options[i]; i++)
		tell_set(verb->options[i]);
	/* Their names only, so that the help of a verb is one screen. */
	(void)printf("\nOptions of all verbs, see %s --help:\n ", command->name);
	tell_names(&command->options);
	tell_names(&command_own_options);
	(void)putchar('\n');
	if (command->tell_more)
		command->tell_more(verb, false);
	(void)printf("\nSee %s for more.\n", command->manual);
}

void command_help(const struct command *command, const struct verb *verb)
{
	if (verb) {
		help_of_verb(command, verb);
		return;
	}
	for (size_t i = 0; command->usage[i]; i++)
		(void)printf("%s%s %s\n", i == 0 ? "Usage: " : "       ", command->name, command->usage[i]);
	(void)printf("%s\n", command->about);
	if (command->verbs)
		(void)printf("\nVerbs:\n");
	for (size_t i = 0; command->verbs && command->verbs[i]; i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s", command->verbs[i]->name, *command->verbs[i]->arguments ? " " : "",
			       command->verbs[i]->arguments);
		command_help_row(left, command->verbs[i]->help);
	}
	(void)printf(command->verbs ? "\nOptions of all verbs:\n" : "\nOptions:\n");
	tell_set(&command->options);
	tell_set(&command_own_options);
	if (command->verbs)
		(void)printf("\n%s VERB --help tells the options of a verb; see %s for more.\n", command->name,
			     command->manual);
	else
		(void)printf("\nTIME is as in systemd.time(7): 500ms, 3s, 1min 30s.\nSee %s for more.\n", command->manual);
}

/* ---- for programs ---- */

static const char *part(const char *text)
{
	return text && *text ? text : "-";
}

static void raw_set(const char *verb, const struct option_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct option_row *row = &set->rows[i];
		const char *value = row->word ? row->word(NULL, 0) : NULL;

		(void)printf("option\t%s\t%s\t%c\t%s\t%s\t", verb, row->name, row->letter ? row->letter : '-',
			     part(row->argument), part(row->otherwise));
		if (!value)
			(void)putchar('-');
		for (size_t k = 0; value; value = row->word(NULL, ++k))
			(void)printf("%s%s", k ? " " : "", value);
		(void)printf("\t%s\n", row->help);
	}
}

void command_help_raw(const struct command *command)
{
	raw_set("-", &command->options);
	raw_set("-", &command_own_options);
	for (size_t i = 0; command->verbs && command->verbs[i]; i++) {
		const struct verb *verb = command->verbs[i];

		(void)printf("verb\t%s\t%s\t%s\n", verb->name, part(verb->arguments), verb->help);
		for (size_t k = 0; verb->options[k]; k++)
			raw_set(verb->name, verb->options[k]);
		if (command->tell_more)
			command->tell_more(verb, true);
	}
}

int command_flush(const struct command *command)
{
	/* A full disk must not look like success. */
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	(void)fprintf(stderr, "%s: standard output: %s\n", command->name, strerror(errno ? errno : EIO));
	return -EIO;
}
