/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * command.c: reads a command line with getopt_long(3), in two steps. The first
 * step skips the options, and finds the verb. The second reads the part before the
 * verb and the part behind it, each with the rows that count there: behind a verb a
 * letter may stand for another option than before it.
 */

#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "fold.h"
#include "system/printable.h"

#define MESSAGE_MAX (2 * PATH_MAX + 1024) /* it may name two files */
#define ROWS_MAX 96u
#define NO_LETTER 256 /* getopt_long's value of the first row without a letter */

/* The rows that count in a part of the command line; an earlier row has precedence. */
struct rows {
	const struct option_row *row[ROWS_MAX];
	size_t n;
};

static bool is_named(const struct option_row *row, const char *name)
{
	return strcmp(row->name, name) == 0;
}

static bool is_among(const struct rows *rows, const struct option_row *row)
{
	for (size_t i = 0; i < rows->n; i++)
		if (is_named(rows->row[i], row->name))
			return true;
	return false;
}

static void rows_add(struct rows *rows, const struct option_set *set)
{
	for (size_t i = 0; i < set->n && rows->n < ROWS_MAX; i++)
		if (!is_among(rows, &set->rows[i]))
			rows->row[rows->n++] = &set->rows[i];
}

static void rows_add_common(struct rows *rows, const struct command *command)
{
	rows_add(rows, &command->options);
	rows_add(rows, &command_own_options);
}

static void rows_add_verb(struct rows *rows, const struct verb *verb)
{
	for (size_t i = 0; verb && verb->options[i]; i++)
		rows_add(rows, verb->options[i]);
}

/* ---- mistakes ---- */

int command_complain(const struct command *command, const struct verb *verb, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fold_line(stderr, "%s: %s%s%s", command->name, verb ? verb->name : "", verb ? ": " : "", text);
	print(stderr, "Try '%s%s%s --help' for more information.\n", command->name, verb ? " " : "", verb ? verb->name : "");
	return -EINVAL;
}

static const char *row_name(const void *rows, size_t i)
{
	const struct rows *all = rows;

	return i < all->n ? all->row[i]->name : NULL;
}

static const char *verb_name(const void *verbs, size_t i)
{
	const struct verb *const *all = verbs;

	return all[i] ? all[i]->name : NULL;
}

/* Whether word is another name of the verb. */
static bool is_also(const struct verb *verb, const char *word)
{
	const char *found = verb->also ? strstr(verb->also, word) : NULL;
	size_t length = strlen(word);

	return found && length > 0 && (found == verb->also || found[-1] == ' ') &&
	       (found[length] == '\0' || found[length] == ' ');
}

int command_unknown_verb(const struct command *command, const char *word)
{
	char all[512];
	const char *meant = nearest(word, verb_name, command->verbs);

	for (size_t i = 0; command->verbs[i]; i++)
		if (is_also(command->verbs[i], word))
			meant = command->verbs[i]->name;
	(void)nearest_list(verb_name, command->verbs, all, sizeof(all));
	if (meant)
		return command_complain(command, NULL, "unknown verb \"%s\"; did you mean %s? Expected %s", word, meant, all);
	return command_complain(command, NULL, "unknown verb \"%s\": expected %s", word, all);
}

/* The first verb that has an option of that name (length bytes of it) or letter, or NULL. */
static const struct verb *verb_with(const struct command *command, const char *name, size_t length, char letter)
{
	for (size_t v = 0; command->verbs && command->verbs[v]; v++)
		for (size_t i = 0; command->verbs[v]->options[i]; i++)
			for (size_t k = 0; k < command->verbs[v]->options[i]->n; k++) {
				const struct option_row *row = &command->verbs[v]->options[i]->rows[k];

				if (name ? strlen(row->name) == length && strncmp(row->name, name, length) == 0 : row->letter == letter)
					return command->verbs[v];
			}
	return NULL;
}

static int unknown_letter(const struct command *command, const struct verb *verb, char letter)
{
	if (verb_with(command, NULL, 0, letter))
		return command_complain(command, verb, "has no use for -%c", letter);
	return command_complain(command, verb, "unrecognized option '-%c'", letter);
}

/* Complains about an unknown option; word is the option as it was written, with its dashes. */
static int unknown_name(const struct command *command, const struct verb *verb, const struct rows *rows, const char *word)
{
	const char *name = word + 2, *meant;
	size_t length = strcspn(name, "=");
	char copy[64];

	if (verb_with(command, name, length, 0))
		return command_complain(command, verb, "has no use for --%.*s", (int)length, name);
	(void)snprintf(copy, sizeof(copy), "%.*s", (int)length, name);
	meant = nearest(copy, row_name, rows);
	if (meant)
		return command_complain(command, verb, "unrecognized option '--%s'; did you mean --%s?", copy, meant);
	return command_complain(command, verb, "unrecognized option '--%s'", copy);
}

/* Whether several options begin with the name. */
static bool is_ambiguous(const struct rows *rows, const char *name)
{
	size_t length = strcspn(name, "=");
	unsigned n = 0;

	for (size_t i = 0; i < rows->n; i++)
		n += strncmp(rows->row[i]->name, name, length) == 0;
	return n > 1;
}

static int wrong_value(const struct command *command, const struct verb *verb, const struct option_row *row,
		       const char *value)
{
	const char *meant = row->word ? nearest(value, row->word, NULL) : NULL;
	char all[256];

	return command_complain(command, verb, "--%s: \"%s\"%s%s%s %s", row->name, value,
				meant ? "; did you mean " : "", meant ? meant : "", meant ? "? Expected" : ": expected",
				row->expected ? row->expected : nearest_list(row->word, NULL, all, sizeof(all)));
}

/* ---- reading ---- */

/* The tables for getopt_long(3). */
struct getopt_tables {
	struct option longs[ROWS_MAX + 1];
	char shorts[2 * ROWS_MAX + 4];
};

static int value_of(const struct rows *rows, size_t i)
{
	char letter = rows->row[i]->letter;

	/* A letter belongs to the first row that has it. */
	for (size_t k = 0; letter && k < i; k++)
		if (rows->row[k]->letter == letter)
			letter = 0;
	return letter ? letter : NO_LETTER + (int)i;
}

/* Fills the tables. order: "+" to stop at the first word that is no option, "" to read all words. */
static void tables_fill(struct getopt_tables *tables, const struct rows *rows, const char *order)
{
	char *p = stpcpy(stpcpy(tables->shorts, order), ":");

	for (size_t i = 0; i < rows->n; i++) {
		const struct option_row *row = rows->row[i];
		int value = value_of(rows, i);

		tables->longs[i] = (struct option){
			.name = row->name, .val = value,
			.has_arg = is_named(row, "help") ? optional_argument : row->argument ? required_argument : no_argument,
		};
		if (value >= NO_LETTER)
			continue;
		*p++ = (char)value;
		if (row->argument)
			*p++ = ':';
	}
	tables->longs[rows->n] = (struct option){ 0 };
	*p = '\0';
}

static const struct option_row *row_of(const struct rows *rows, int value)
{
	for (size_t i = 0; i < rows->n; i++)
		if (value_of(rows, i) == value)
			return rows->row[i];
	return NULL;
}

/* Complains about the word before optind, which getopt_long(3) did not accept. */
static int refuse(const struct command *command, const struct verb *verb, const struct rows *rows, int c, char **argv)
{
	const struct option_row *row = row_of(rows, optopt);
	const char *word = argv[optind - 1];

	if (c == ':')
		return command_complain(command, verb, "--%s: expected a value, %s", row->name, row->argument);
	if (row)
		return command_complain(command, verb, "--%s: expected no value", row->name);
	if (optopt)
		return unknown_letter(command, verb, (char)optopt);
	if (is_ambiguous(rows, word + 2))
		return command_complain(command, verb, "option '%s': expected more of its name", word);
	return unknown_name(command, verb, rows, word);
}

static int answer(const struct command *command, const struct verb *verb, const struct option_row *row,
		  const char *value)
{
	if (is_named(row, "version"))
		(void)printf("%s (corebalance) %s\n", command->name, VERSION);
	else if (!value)
		command_help(command, verb);
	else if (strcmp(value, "raw") == 0)
		command_help_raw(command);
	else
		return command_complain(command, verb, "--help: \"%s\": expected raw, or nothing", value);
	return command_flush(command) < 0 ? -EIO : 1;
}

/* Reads and sets the options of a part of the command line. 0, or as command_parse(). */
static int read_options(const struct command *command, const struct verb *verb, const struct rows *rows,
			const char *order, int argc, char **argv, void *settings)
{
	struct getopt_tables tables = { 0 };
	int c;

	tables_fill(&tables, rows, order);
	optind = 0; /* begin anew */
	opterr = 0;
	while ((c = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		const struct option_row *row = c == '?' || c == ':' ? NULL : row_of(rows, c);

		if (!row)
			return refuse(command, verb, rows, c, argv);
		if (!row->set)
			return answer(command, verb, row, optarg);
		if (row->set(settings, optarg) < 0)
			return wrong_value(command, verb, row, optarg);
	}
	return 0;
}

/* The index in argv of the first word that is neither an option of the rows nor the value of such an option; argc if there
 * is none. It passes over mistakes: the second step finds them again. */
static int first_word(const struct rows *rows, int argc, char **argv)
{
	struct getopt_tables tables = { 0 };

	tables_fill(&tables, rows, "+");
	optind = 0;
	opterr = 0;
	while (getopt_long(argc, argv, tables.shorts, tables.longs, NULL) != -1)
		;
	return optind;
}

/* The index in argv of the verb; or of a word that should be a verb; argc if there is neither. */
static int find_verb(const struct command *command, int argc, char **argv)
{
	struct rows any = { .n = 0 };

	/* A letter may take a value with one verb, and none with another. So the rows before a verb are its own. */
	for (int at = 1; at < argc; at++) {
		const struct verb *verb = command_find_verb(command, argv[at]);
		struct rows rows = { .n = 0 };

		if (!verb)
			continue;
		rows_add_common(&rows, command);
		rows_add_verb(&rows, verb);
		if (first_word(&rows, argc, argv) == at)
			return at;
	}
	rows_add_common(&any, command);
	for (size_t i = 0; command->verbs[i]; i++)
		rows_add_verb(&any, command->verbs[i]);
	return first_word(&any, argc, argv);
}

bool command_names_verb(const struct command *command, int argc, char **argv)
{
	int at = find_verb(command, argc, argv);

	return at < argc && command_find_verb(command, argv[at]);
}

const struct verb *command_find_verb(const struct command *command, const char *name)
{
	for (size_t i = 0; command->verbs && command->verbs[i]; i++)
		if (strcmp(command->verbs[i]->name, name) == 0)
			return command->verbs[i];
	return NULL;
}

int command_parse(const struct command *command, int argc, char **argv, void *settings, struct command_line *ret)
{
	struct rows before = { .n = 0 }, behind = { .n = 0 };
	const struct verb *verb = command->standard;
	int at = command->verbs ? find_verb(command, argc, argv) : 0, r = 0;

	*ret = (struct command_line){ 0 };
	if (command->verbs && at < argc) {
		verb = command_find_verb(command, argv[at]);
		if (!verb)
			return command_unknown_verb(command, argv[at]);
	}
	ret->verb = verb;
	if (command->verbs) {
		rows_add_common(&before, command);
		rows_add_verb(&before, verb);
		/* Without a verb, --help is about the program. */
		r = read_options(command, at < argc ? verb : NULL, &before, "+", at, argv, settings);
		if (r != 0)
			return r;
	}
	if (at >= argc)
		return 0;
	rows_add_verb(&behind, verb);
	rows_add_common(&behind, command);
	r = read_options(command, verb, &behind, "", argc - at, argv + at, settings);
	if (r != 0)
		return r;
	ret->arguments = argv + at + optind;
	ret->n_arguments = argc - at - optind;
	if (verb && (ret->n_arguments < verb->min || (verb->max >= 0 && ret->n_arguments > verb->max))) {
		command_usage(command, verb, stderr);
		(void)fprintf(stderr, "Try '%s %s --help' for more information.\n", command->name, verb->name);
		return -EINVAL;
	}
	return 0;
}
