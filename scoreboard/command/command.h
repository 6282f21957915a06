/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * command.h: the command line of every program, from tables: a row for each
 * option, with the function that sets it, and a row for each verb. The parser,
 * the messages, --help, and --help=raw for completion and tests all use these
 * tables. This is the only room of the library that prints.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "list/nearest.h"

/* One option. */
struct option_row {
	const char *name;          /* without its dashes */
	char letter;               /* its short form; 0: none */
	const char *argument;      /* the placeholder for its value in --help; NULL: it takes no value */
	const char *help;          /* what it does */
	const char *otherwise;     /* the default, as --help and the manual write it; NULL: nothing to say */
	const char *expected;      /* the valid values, as a message has them after "expected"; NULL: those of word */
	int (*set)(void *settings, const char *value); /* 0 or -EINVAL */
	nearest_word *word;        /* lists the valid values; NULL: too many to list */
};

/* Options of several verbs, or of one verb. */
struct option_set {
	const struct option_row *rows;
	size_t n;
};

/* --version and --help, which every program has. */
extern const struct option_set command_own_options;

#define OPTION_SET(array) { (array), sizeof(array) / sizeof((array)[0]) }

/* Defines the setter of an option without a value, which makes flag true. */
#define OPTION_FLAG(setter, flag) \
	static int setter(void *settings, const char *value) \
	{ \
		(void)settings; \
		(void)value; \
		(flag) = true; \
		return 0; \
	}

/* Defines the setter of an option that takes any text but an empty one. */
#define OPTION_TEXT(setter, text) \
	static int setter(void *settings, const char *value) \
	{ \
		(void)settings; \
		(text) = value; \
		return *value ? 0 : -EINVAL; \
	}

/* A command of a program, as its users call it. */
struct verb {
	const char *name;
	const char *arguments;     /* "NODE..."; empty if there are none */
	const char *help;
	const char *also;          /* other names that people use for it, separated by blanks; NULL: none */
	int min, max;              /* number of arguments; max -1: any number */
	const struct option_set *options[3]; /* the verb's own, up to a NULL */
	int topic;                 /* for the program's tell_more() */
	int failed_status;         /* the exit status of a wrong command line, and if stdout fails; 0: the program's */
};

/* A program's command line. */
struct command {
	const char *name;
	const char *const *usage;  /* a line for each form of the call, without the name; up to a NULL */
	const char *about;         /* what it does, as sentences */
	const char *manual;        /* "cbscore(1)" */
	struct option_set options; /* options of all verbs; --version and --help need no row */
	const struct verb *const *verbs; /* up to a NULL; NULL: the program has no verbs */
	const struct verb *standard;     /* the verb when none is given */

	/* Prints what else belongs to the help of a verb; with raw, in lines for programs. May be NULL. */
	void (*tell_more)(const struct verb *verb, bool raw);
};

/* The result of reading a command line. */
struct command_line {
	const struct verb *verb;   /* NULL if the program has none, or it was not found */
	char **arguments;          /* the words that are neither options nor the verb */
	int n_arguments;
};

/*
 * Reads a command line. It finds the verb first. An option is then looked up
 * among the options of all verbs and those of the verb: before the verb those of
 * all have precedence, behind it the verb's own. ret->verb is set whatever is
 * returned. 0: *ret is filled, and the options are set. 1: --help or --version
 * was given, and its text has been printed. -EINVAL: a mistake, which was told on
 * stderr. -EIO: stdout failed, which was told.
 */
int command_parse(const struct command *command, int argc, char **argv, void *settings, struct command_line *ret);

/* Tells a mistake on stderr, with a pointer to the verb's help (NULL: the program's). Returns -EINVAL. */
int command_complain(const struct command *command, const struct verb *verb, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Finds a verb by its name; NULL: there is none. */
const struct verb *command_find_verb(const struct command *command, const char *name);

/* Whether a command line names a verb of the command, right or wrong as it may be otherwise. */
bool command_names_verb(const struct command *command, int argc, char **argv);

/* Tells on stderr that there is no such verb, and names the most similar verb. Returns -EINVAL. */
int command_unknown_verb(const struct command *command, const char *word);

/* Writes how a verb is called: "usage: cbscore down NODE... [--reason TEXT]". */
void command_usage(const struct command *command, const struct verb *verb, FILE *file);

/* Prints the help of a verb (NULL: of the program) for people. */
void command_help(const struct command *command, const struct verb *verb);

/* Prints the help of the program and of all verbs, in lines for programs. */
void command_help_raw(const struct command *command);

/* Writes a row of a table of help: left, and text beside it, folded. */
void command_help_row(const char *left, const char *text);

/* Flushes stdout. 0; -EIO: that failed, and the reason was told on stderr. */
int command_flush(const struct command *command);
