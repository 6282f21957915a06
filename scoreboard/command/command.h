/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * command.h: the command line of every program, from tables: a row for each
 * option, with the function that sets it, and a row for each verb. From them
 * come the parsing, the messages, --help, and what completion and the tests
 * ask for with --help=raw. This is the only room of the library that prints.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "nearest.h"

/* One option. */
struct option_row {
	const char *name;          /* without its dashes */
	char letter;               /* its short form; 0: none */
	const char *argument;      /* what --help writes for its value; NULL: it takes none */
	const char *help;          /* what it does */
	const char *otherwise;     /* what holds without it, as --help and the manual write it; NULL: nothing to say */
	const char *expected;      /* what its value must be, as a message goes on after "expected"; NULL: one of word */
	int (*set)(void *settings, const char *value); /* 0 or -EINVAL */
	nearest_word *word;        /* the values that there are; NULL: too many to list */
};

/* Options that are given to several verbs, or to one. */
struct option_set {
	const struct option_row *rows;
	size_t n;
};

/* --version and --help, which every program has. */
extern const struct option_set command_own_options;

#define OPTION_SET(array) { (array), sizeof(array) / sizeof((array)[0]) }

/* What a program can be told to do. */
struct verb {
	const char *name;
	const char *arguments;     /* "NODE..."; empty if there are none */
	const char *help;
	const char *also;          /* other words that people use for it, with a blank between them; NULL: none */
	int min, max;              /* how many arguments; max -1: any number */
	const struct option_set *options[3]; /* its own, up to a NULL */
	int topic;                 /* for the program's tell_more() */
	int usage_status;          /* the exit status of a wrong command line; 0: the program's */
	int (*run)(void *settings, int argc, char **argv); /* returns the exit status */
};

/* A program's command line. */
struct command {
	const char *name;
	const char *const *usage;  /* a line for each way to call it, behind its name; up to a NULL */
	const char *about;         /* what it does, as sentences */
	const char *manual;        /* "cbscore(1)" */
	struct option_set options; /* those of all verbs; --version and --help are there without a row */
	const struct verb *const *verbs; /* up to a NULL; NULL: the program has no verbs */
	const struct verb *standard;     /* the verb that is meant when none is given */

	/* Tells what else belongs to the help of a verb, as with raw in lines for programs. May be NULL. */
	void (*tell_more)(const struct verb *verb, bool raw);
};

/* What was found on a command line. */
struct command_line {
	const struct verb *verb;   /* NULL if the program has none, or it was not found */
	char **arguments;          /* what is no option, and not the verb */
	int n_arguments;
};

/*
 * Reads a command line. The verb is found first; then each option is one of the
 * verb's or one of all. Before the verb those of all come first, behind it the
 * verb's own. ret->verb is set whatever is returned. 0: *ret is filled, and the options were set. 1: --help or
 * --version was asked for, and has been printed. -EINVAL: a mistake, which was
 * told on stderr. -EIO: stdout failed, which was told.
 */
int command_parse(const struct command *command, int argc, char **argv, void *settings, struct command_line *ret);

/* Tells a mistake on stderr, with a pointer to the verb's help (NULL: the program's). Returns -EINVAL. */
int command_complain(const struct command *command, const struct verb *verb, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The verb of that name, or NULL. */
const struct verb *command_find_verb(const struct command *command, const char *name);

/* Tells on stderr that there is no such verb, and which may have been meant. Returns -EINVAL. */
int command_unknown_verb(const struct command *command, const char *word);

/* Writes how a verb is called: "usage: cbscore down NODE... [--reason TEXT]". */
void command_usage(const struct command *command, const struct verb *verb, FILE *file);

/* Prints the help of a verb (NULL: of the program) for people, or all of it in lines for programs. */
void command_help(const struct command *command, const struct verb *verb);
void command_help_raw(const struct command *command);

/* Writes one row of a table of help: left, and text beside it, folded. */
void command_help_row(const char *left, const char *text);

/* Brings everything that was printed to stdout. 0; -EIO: it failed, and stderr was told why. */
int command_flush(const struct command *command);
