/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * completion.c: the words before the cursor say what is expected there: a verb, an
 * option of the verb, the value of an option, or an argument as the verb's row names
 * it. Everything that may stand there is collected, and readline takes what fits.
 */

#include "completion.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <readline/readline.h>

#include "ending.h"
#include "farm_nodes.h"
#include "system/grow.h"
#include "system/printable.h"
#include "verbs.h"

#define BLANKS " \t"

static const struct context *context; /* readline passes no argument */

/* ---- what may stand there ---- */

static struct {
	char **words;
	size_t n, room, next; /* next: the word that readline is shown next */
} offered;

static void clear_offered(void)
{
	for (size_t i = 0; i < offered.n; i++)
		free(offered.words[i]);
	offered.n = 0;
}

/* Adds a word. A word that cannot be shown as it is, or has no room, is left out. */
static void __attribute__((format(printf, 1, 2))) offer(const char *format, ...)
{
	va_list arguments;
	char *word;
	int n;

	va_start(arguments, format);
	n = vasprintf(&word, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	if (!is_printable(word) || GROW(offered.words, offered.n, offered.room) < 0)
		free(word);
	else
		offered.words[offered.n++] = word;
}

static void offer_verbs(void)
{
	for (const struct verb *const *verb = command.verbs; *verb; verb++)
		offer("%s", (*verb)->name);
}

static void offer_options(const struct option_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		offer("--%s", set->rows[i].name);
}

static void offer_all_options(const struct verb *verb)
{
	for (size_t i = 0; verb->options[i]; i++)
		offer_options(verb->options[i]);
	offer_options(&command.options);
	offer_options(&command_own_options);
}

/* Offers the columns of the verb's table; those that are listed before a comma or a plus stay. */
static void offer_columns(const struct verb *verb, const char *begun)
{
	size_t listed = 0;

	for (size_t i = 0; begun[i]; i++)
		if (begun[i] == ',' || begun[i] == '+')
			listed = i + 1;
	for (size_t i = 0; i < n_columns; i++) {
		char name[64] = "";

		if (verb->topic != TOPIC_COLUMNS + (int)columns[i].table)
			continue;
		for (size_t j = 0; columns[i].name[j] && j + 1 < sizeof(name); j++)
			name[j] = (char)tolower((unsigned char)columns[i].name[j]);
		offer("%.*s%s", (int)listed, begun, name);
	}
	rl_completion_append_character = '\0';
}

static struct score *open_score(void)
{
	struct score *score;

	return score_open(context->farm.scoreboard, NULL, &score) == 0 ? score : NULL;
}

static void offer_nodes(void)
{
	struct score *score = open_score();
	struct farm_nodes nodes = { 0 };

	if (score && farm_nodes_copy(score, &nodes) == 0)
		for (size_t i = 0; i < nodes.n; i++)
			offer("%s", nodes.nodes[i].config.name);
	farm_nodes_clear(&nodes);
	(void)score_close(score);
}

static void offer_slots_and_clients(void)
{
	struct score *score = open_score();
	struct held_slots held = { 0 };

	if (score && held_slots_find(score, NULL, NULL, &held) == 0)
		for (size_t i = 0; i < held.n; i++) {
			offer("%s/%" PRIu32, held.slots[i].node, held.slots[i].slot);
			if (*held.slots[i].client)
				offer("%s", held.slots[i].client);
		}
	free(held.slots);
	(void)score_close(score);
}

static void offer_keys(void)
{
	for (size_t i = 0; i < n_node_fields; i++)
		if (!node_fields[i].is_fixed)
			offer("%s=", node_fields[i].name);
	rl_completion_append_character = '\0';
}

/* Offers each word of "ipvs|allow" or "[N/PARTS|none]" that is not a placeholder. */
static void offer_alternatives(const char *argument, size_t length)
{
	const char *end = argument + length;

	while (argument < end) {
		size_t n = strcspn(argument, "[]|. ");

		if (argument + n > end)
			n = (size_t)(end - argument);
		if (n > 0 && islower((unsigned char)*argument))
			offer("%.*s", (int)n, argument);
		argument += n + 1;
	}
}

/* ---- where the cursor is ---- */

struct place {
	const struct verb *verb;            /* NULL: the verb itself is being written */
	const struct option_row *option;    /* its value is being written; NULL: no value is */
	int n_arguments;                    /* words behind the verb that are neither options nor their values */
};

static const struct option_row *find_in(const struct option_set *set, const char *word, size_t length)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct option_row *row = &set->rows[i];

		if (length == 2 && word[1] == row->letter)
			return row;
		if (length == strlen(row->name) + 2 && word[1] == '-' && strncmp(word + 2, row->name, length - 2) == 0)
			return row;
	}
	return NULL;
}

static const struct option_row *find_option(const struct verb *verb, const char *word, size_t length)
{
	const struct option_row *row = NULL;

	for (size_t i = 0; verb->options[i] && !row; i++)
		row = find_in(verb->options[i], word, length);
	return row ? row : find_in(&command.options, word, length);
}

/* Takes a word before the cursor into account. */
static void pass(struct place *place, const char *word, size_t length)
{
	char name[32];

	if (!place->verb) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)length, word);
		place->verb = command_find_verb(&command, name);
	} else if (place->option) {
		place->option = NULL;
	} else if (length > 1 && *word == '-') {
		place->option = find_option(place->verb, word, length);
		if (place->option && !place->option->argument)
			place->option = NULL;
	} else {
		place->n_arguments++;
	}
}

/* Reads the words of line before end. false: they begin with a word that is no verb. */
static bool find_place(const char *line, const char *end, struct place *place)
{
	*place = (struct place){ 0 };
	for (;;) {
		size_t length;

		line += strspn(line, BLANKS);
		if (line >= end)
			return true;
		length = strcspn(line, BLANKS);
		pass(place, line, length);
		if (!place->verb)
			return false;
		line += length;
	}
}

/* Sets *ret to where a verb's row has the placeholder of its argument of that number, from 0; the last may be repeated.
 * Returns the length; 0: the verb has no arguments. */
static size_t placeholder(const struct verb *verb, int number, const char **ret)
{
	const char *arguments = verb->arguments;
	size_t length;

	for (;;) {
		length = strcspn(arguments, " ");
		if (number-- == 0 || !arguments[length])
			break;
		arguments += length + 1;
	}
	*ret = arguments;
	return length;
}

static bool has(const char *text, size_t length, const char *part)
{
	return memmem(text, length, part, strlen(part)) != NULL;
}

/* Offers what the verb takes at that place. Returns whether that is the name of a file, which readline completes. */
static bool offer_argument(const struct verb *verb, int number)
{
	const char *argument;
	size_t length = placeholder(verb, number, &argument);

	if (has(argument, length, "LOG") || has(argument, length, "FILE"))
		return true;
	if (has(argument, length, "SLOT"))
		offer_slots_and_clients();
	else if (has(argument, length, "NODE"))
		offer_nodes();
	else if (has(argument, length, "KEY"))
		offer_keys();
	else if (has(argument, length, "VERB"))
		offer_verbs();
	else
		offer_alternatives(argument, length);
	return false;
}

/* Offers the values of an option. Returns whether that is the name of a file. */
static bool offer_values(const struct verb *verb, const struct option_row *option, const char *begun)
{
	const char *word;

	for (size_t i = 0; option->word && (word = option->word(NULL, i)); i++)
		offer("%s", word);
	if (strncmp(option->argument, "COL", 3) == 0)
		offer_columns(verb, begun);
	return strcmp(option->argument, "FILE") == 0;
}

/* ---- readline ---- */

static char *next_offered(const char *begun, int state)
{
	if (state == 0)
		offered.next = 0;
	while (offered.next < offered.n) {
		const char *word = offered.words[offered.next++];

		if (strncmp(word, begun, strlen(begun)) == 0)
			return strdup(word); /* readline frees it */
	}
	return NULL;
}

static char **complete(const char *begun, int start, int end)
{
	struct place place;
	bool is_file = false;

	(void)end;
	rl_attempted_completion_over = 1;
	if (!find_place(rl_line_buffer, rl_line_buffer + start, &place))
		return NULL;
	clear_offered();
	if (!place.verb)
		offer_verbs();
	else if (place.option)
		is_file = offer_values(place.verb, place.option, begun);
	else if (*begun == '-')
		offer_all_options(place.verb);
	else
		is_file = offer_argument(place.verb, place.n_arguments);
	rl_attempted_completion_over = !is_file;
	return rl_completion_matches(begun, next_offered);
}

void completion_use(const struct context *c)
{
	context = c;
	rl_attempted_completion_function = complete;
	rl_completer_word_break_characters = (char *)(uintptr_t)" \t\n\"'";
}
