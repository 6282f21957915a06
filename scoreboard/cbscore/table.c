/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include <libsmartcols/libsmartcols.h>

#include "age.h"
#include "command/fold.h"
#include "system/printable.h"
#include "system/timespan.h"

#define TABLE_COLUMNS_MAX 64
#define CUT_WIDTH 24u          /* a text is cut to this width before columns are dropped */
#define NAME_WIDTH 24u         /* a node's name is never shorter than this */

struct table {
	struct libscols_table *scols;
	const struct column *columns[TABLE_COLUMNS_MAX];
	size_t n_columns;
	size_t n_default;      /* of them, from the first: the columns that no option named */
	struct libscols_column *sort;
	bool plain;            /* raw or JSON: numbers rather than dates */
	bool is_escaped;       /* a cell has what libsmartcols would escape although it is text: a backslash before an x */
	bool is_strange;       /* a cell has a character that the locale does not know */
};

/* ---- the options ---- */

static int set_output(void *settings, const char *value)
{
	struct context *context = settings;

	context->output = value;
	return 0;
}

OPTION_FLAG(set_no_headings, ((struct context *)settings)->no_headings)
OPTION_FLAG(set_raw, ((struct context *)settings)->raw)

static int set_sort(void *settings, const char *value)
{
	struct context *context = settings;

	context->sort = value;
	return 0;
}

static const struct option_row rows[] = {
	{ "output", 'o', "COL,...", "these columns; +COL,... for the usual ones and these", NULL, "columns", set_output,
	  NULL },
	{ "noheadings", 'n', NULL, "no headings", NULL, NULL, set_no_headings, NULL },
	{ "raw", 'r', NULL, "plain values, one blank between columns", NULL, NULL, set_raw, NULL },
	JSON_ROW,
	{ "sort", 0, "COL", "sort by a column", NULL, "a column", set_sort, NULL },
};

const struct option_set table_options = OPTION_SET(rows);

/* ---- which columns ---- */

/* The name of a column of a table, for nearest(). */
static const char *column_name(const void *words, size_t wanted)
{
	const enum table_kind *kind = words;

	for (size_t i = 0; i < n_columns; i++)
		if (columns[i].table == *kind && wanted-- == 0)
			return columns[i].name;
	return NULL;
}

static int unknown_column(enum table_kind kind, const char *name, size_t length)
{
	char known[512], word[64];
	const char *meant;
	size_t used = 0;

	*known = '\0';
	for (size_t i = 0; i < n_columns && used < sizeof(known); i++)
		if (columns[i].table == kind)
			used += (size_t)snprintf(known + used, sizeof(known) - used, " %s", columns[i].name);
	(void)snprintf(word, sizeof(word), "%.*s", (int)length, name);
	meant = nearest(word, column_name, &kind);
	if (meant)
		return complain_usage("unknown column \"%s\"; did you mean %s? Expected%s", word, meant, known);
	return complain_usage("unknown column \"%s\": expected%s", word, known);
}

static bool is_default(const struct table *table, const struct column *column)
{
	return column->shown == SHOWN_ALWAYS || column->shown == (table->plain ? SHOWN_PROGRAMS : SHOWN_PEOPLE);
}

static void choose_default(struct table *table, enum table_kind kind)
{
	for (size_t i = 0; i < n_columns; i++)
		if (columns[i].table == kind && is_default(table, &columns[i]))
			table->columns[table->n_columns++] = &columns[i];
	table->n_default = table->n_columns;
}

static bool is_chosen(const struct table *table, const struct column *column)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i] == column)
			return true;
	return false;
}

/* Chooses the columns "COL,COL"; with "+COL,COL" the default columns and these. Each once: in JSON a name is unique. */
static int choose(struct table *table, enum table_kind kind, const char *output)
{
	if (!output || *output == '+')
		choose_default(table, kind);
	if (!output)
		return STATUS_OK;
	output += *output == '+';
	for (;;) {
		size_t length = strcspn(output, ",");
		const struct column *column = column_find(kind, output, length);

		if (!column)
			return unknown_column(kind, output, length);
		if (table->n_columns == TABLE_COLUMNS_MAX)
			return complain_usage("--output: expected at most %d columns", TABLE_COLUMNS_MAX);
		if (!is_chosen(table, column))
			table->columns[table->n_columns++] = column;
		if (!output[length])
			return STATUS_OK;
		output += length + 1;
	}
}

/* ---- libsmartcols ---- */

/* Compares by number, whatever the column shows; the plain form is the cell's userdata. */
static int compare_numbers(struct libscols_cell *a, struct libscols_cell *b, void *arg)
{
	const char *x = scols_cell_get_userdata(a), *y = scols_cell_get_userdata(b);
	double dx = x ? strtod(x, NULL) : 0, dy = y ? strtod(y, NULL) : 0;

	(void)arg;
	return (dx > dy) - (dx < dy);
}

static bool is_text(const struct column *column)
{
	return column->type == COLUMN_TEXT || column->type == COLUMN_STATE;
}

static bool is_among(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* Whether the column's text is cut if the terminal is too narrow. */
static bool is_cut(const struct column *column)
{
	static const char *const names[] = { "REASON", "FROM", "WHY", "CLIENT", "DETAIL", "ADDRESSES", NULL };

	return is_among(column->name, names);
}

static int json_type(const struct column *column)
{
	switch (column->type) {
	case COLUMN_NUMBER:
	case COLUMN_TIME:
	case COLUMN_AGE:
		return SCOLS_JSON_NUMBER;
	case COLUMN_BOOLEAN:
		return SCOLS_JSON_BOOLEAN;
	default:
		return SCOLS_JSON_STRING;
	}
}

static struct libscols_column *add_column(struct table *table, const struct column *column)
{
	bool number = column->type == COLUMN_NUMBER || column->type == COLUMN_AGE;
	struct libscols_column *added;

	added = scols_table_new_column(table->scols, column->name, 0,
				       number ? SCOLS_FL_RIGHT : is_cut(column) ? SCOLS_FL_TRUNC : 0);
	if (!added)
		return NULL;
	(void)scols_column_set_json_type(added, json_type(column));
	(void)scols_column_set_cmpfunc(added, is_text(column) ? scols_cmpstr_cells : compare_numbers, NULL);
	return added;
}

static int add_sort(struct table *table, enum table_kind kind, const char *sort)
{
	const struct column *column = column_find(kind, sort, strlen(sort));

	if (!column)
		return unknown_column(kind, sort, strlen(sort));
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i] == column) {
			table->sort = scols_table_get_column(table->scols, i);
			return STATUS_OK;
		}
	/* The column is hidden, and in the table only for its values. */
	if (table->n_columns == TABLE_COLUMNS_MAX)
		return complain_usage("--output: expected at most %d columns", TABLE_COLUMNS_MAX - 1);
	table->columns[table->n_columns++] = column;
	table->sort = add_column(table, column);
	if (!table->sort)
		return complain_usage("%s", strerror(ENOMEM));
	(void)scols_column_set_flags(table->sort, SCOLS_FL_HIDDEN);
	return STATUS_OK;
}

/* Whether stdout is a terminal with colours, and NO_COLOR (no-color.org) is not set. */
static bool wants_color(void)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && (!none || !*none) && terminal && strcmp(terminal, "dumb") != 0;
}

static void table_free(struct table *table)
{
	struct libscols_line *line;
	struct libscols_iter *iter;

	if (!table)
		return;
	iter = table->scols ? scols_new_iter(SCOLS_ITER_FORWARD) : NULL;
	while (iter && scols_table_next_line(table->scols, iter, &line) == 0)
		for (size_t i = 0; i < table->n_columns; i++)
			free(scols_cell_get_userdata(scols_line_get_cell(line, i)));
	scols_free_iter(iter);
	scols_unref_table(table->scols);
	free(table);
}

int table_new(const struct context *context, enum table_kind kind, struct table **ret)
{
	struct table *table = calloc(1, sizeof(*table));
	int status = STATUS_FAILED;

	if (!table)
		goto out_of_memory;
	if (context->raw && context->json) {
		status = complain_usage("--raw and --json: expected one of them");
		goto fail;
	}
	table->plain = context->raw || context->json;
	status = choose(table, kind, context->output);
	if (status != STATUS_OK)
		goto fail;
	status = STATUS_FAILED;
	table->scols = scols_new_table();
	if (!table->scols)
		goto out_of_memory;
	(void)scols_table_set_name(table->scols, table_name(kind));
	(void)scols_table_enable_json(table->scols, context->json);
	(void)scols_table_enable_raw(table->scols, context->raw);
	/* Otherwise characters that the locale has not are escaped, and raw output escapes these escapes again. (If it has
	 * to compute a width, libsmartcols would loop for ever in such a locale.) */
	(void)scols_table_enable_noencoding(table->scols, context->raw || context->json);
	(void)scols_table_enable_noheadings(table->scols, context->no_headings);
	if (!table->plain && wants_color())
		(void)scols_table_enable_colors(table->scols, 1);
	for (size_t i = 0; i < table->n_columns; i++)
		if (!add_column(table, table->columns[i]))
			goto out_of_memory;
	if (context->sort) {
		status = add_sort(table, kind, context->sort);
		if (status != STATUS_OK)
			goto fail;
	}
	*ret = table;
	return STATUS_OK;

out_of_memory:
	complain("%s", strerror(ENOMEM));
fail:
	table_free(table);
	return status;
}

/* Replaces microseconds since the epoch by a date in local time. */
static void format_date(char text[static COLUMN_TEXT_MAX])
{
	time_t seconds = (time_t)(strtoull(text, NULL, 10) / USEC_PER_SEC);
	struct tm tm;

	if (*text && localtime_r(&seconds, &tm))
		(void)strftime(text, COLUMN_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
}

/* Replaces a moment by the number of seconds since then. */
static void make_age(char text[static COLUMN_TEXT_MAX])
{
	if (*text)
		(void)snprintf(text, COLUMN_TEXT_MAX, "%" PRIu64, age_of(strtoull(text, NULL, 10)) / USEC_PER_SEC);
}

/* The colour of a state, or NULL. */
static const char *state_color(const char *state)
{
	static const char *const colors[][2] = {
		{ "up", "green" }, { "busy", "green" }, { "down", "red" }, { "held", "brown" }, { "draining", "cyan" },
		{ "retry", "magenta" }, { "granted", "cyan" },
	};

	for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
		if (strcmp(colors[i][0], state) == 0)
			return colors[i][1];
	return NULL;
}

/* Whether the locale knows each character of a text. */
static bool is_known(const char *text)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n;

	for (size_t left = strlen(text); left > 0; text += n, left -= n) {
		n = 1;
		if (*text >= ' ' && *text <= '~') /* every locale knows these, and most texts have no others */
			continue;
		n = mbrtowc(&c, text, left, &state);
		if (n > left || wcwidth(c) < 0)
			return false;
	}
	return true;
}

int table_add(struct table *table, const void *item)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);
	char text[COLUMN_TEXT_MAX];

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_columns; i++) {
		const struct column *column = table->columns[i];
		struct libscols_cell *cell = scols_line_get_cell(line, i);

		column->format(item, text);
		if (column->type == COLUMN_AGE)
			make_age(text);
		printable(text, '?'); /* a check's or a client's words may be anything */
		if (!is_text(column)) {
			char *plain = strdup(text);

			if (!plain)
				return -ENOMEM;
			(void)scols_cell_set_userdata(cell, plain);
		}
		if (column->type == COLUMN_TIME && !table->plain)
			format_date(text);
		if (column->type == COLUMN_AGE && *text && !table->plain)
			(void)age_format(strtoull(text, NULL, 10) * USEC_PER_SEC, text);
		if (column->type == COLUMN_STATE)
			(void)scols_cell_set_color(cell, state_color(text));
		if (column->type == COLUMN_BOOLEAN && !table->plain)
			(void)strcpy(text, *text == '1' ? "yes" : "no");
		table->is_escaped |= strstr(text, "\\x") != NULL;
		table->is_strange |= !is_known(text);
		if (scols_cell_set_data(cell, *text ? text : NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* libsmartcols prints nothing at all for a table without lines; people and scripts expect its frame. */
static void print_empty(struct table *table)
{
	if (scols_table_is_json(table->scols)) {
		print(stdout, "{\n");
		print(stdout, "   \"%s\": []\n", scols_table_get_name(table->scols));
		print(stdout, "}\n");
	} else if (!scols_table_is_noheadings(table->scols)) {
		for (size_t i = 0; i < table->n_columns; i++)
			if (!(scols_column_get_flags(scols_table_get_column(table->scols, i)) & SCOLS_FL_HIDDEN))
				print(stdout, "%s%s", i ? " " : "", table->columns[i]->name);
		print(stdout, "\n");
	}
}

/* The width of a column: that of its widest cell, and a blank. */
static size_t width_of(struct table *table, size_t number)
{
	struct libscols_iter *iter = scols_new_iter(SCOLS_ITER_FORWARD);
	size_t width = strlen(table->columns[number]->name);
	struct libscols_line *line;

	while (iter && scols_table_next_line(table->scols, iter, &line) == 0) {
		const char *text = scols_cell_get_data(scols_line_get_cell(line, number));

		if (text && text_width(text) > width)
			width = text_width(text);
	}
	scols_free_iter(iter);
	return width + 1;
}

/* Shortens the names in a column. */
static void shorten(struct table *table, size_t number, size_t limit)
{
	struct libscols_iter *iter = scols_new_iter(SCOLS_ITER_FORWARD);
	struct libscols_line *line;

	while (iter && scols_table_next_line(table->scols, iter, &line) == 0) {
		struct libscols_cell *cell = scols_line_get_cell(line, number);
		const char *name = scols_cell_get_data(cell);
		char text[COLUMN_TEXT_MAX];

		if (name && strlen(name) > limit) /* without memory the name stays as it is */
			(void)scols_cell_set_data(cell, fold_name(name, limit, text, sizeof(text)));
	}
	scols_free_iter(iter);
}

static void hide(struct table *table, size_t number)
{
	struct libscols_column *column = scols_table_get_column(table->scols, number);

	(void)scols_column_set_flags(column, scols_column_get_flags(column) | SCOLS_FL_HIDDEN);
}

/* Hides a column that no option named. Returns how much narrower the table is. */
static size_t drop(struct table *table, const char *name, size_t widths[static TABLE_COLUMNS_MAX])
{
	for (size_t i = 0; i < table->n_default; i++)
		if (strcmp(table->columns[i]->name, name) == 0 && widths[i] > 0) {
			size_t width = widths[i];

			hide(table, i);
			widths[i] = 0;
			return width;
		}
	return 0;
}

/* Makes the table fit the terminal: long names are shortened, texts may be cut to CUT_WIDTH, and then columns that no
 * option named are dropped, the least important first. FROM, a formula, says nothing when it is cut. */
static void fit(struct table *table)
{
	static const char *const spares[] = {
		"FROM", "FAILED", "SERVED", "SHARE", "SPEED", "WORTH", "PID", "FREE", "IN", "OUT", "AGE", "RANK", "REASON", "CORES",
	};
	size_t room = scols_table_get_termwidth(table->scols), width = 0, widths[TABLE_COLUMNS_MAX], names;

	if (table->plain || !isatty(STDOUT_FILENO) || room == 0)
		return;
	names = room * 2 / 5 > NAME_WIDTH ? room * 2 / 5 : NAME_WIDTH;
	for (size_t i = 0; i < table->n_columns; i++)
		width += widths[i] = width_of(table, i);
	for (size_t i = 0; i < table->n_columns && width > room + 1; i++)
		if (strcmp(table->columns[i]->name, "NODE") == 0 && widths[i] > names + 1) {
			shorten(table, i, names);
			width -= widths[i] - (names + 1);
			widths[i] = names + 1;
		}
	if (width > room + 1)
		width -= drop(table, spares[0], widths);
	for (size_t i = 0; i < table->n_columns; i++)
		if (is_cut(table->columns[i]) && widths[i] > CUT_WIDTH + 1) {
			width -= widths[i] - (CUT_WIDTH + 1);
			widths[i] = CUT_WIDTH + 1;
		}
	for (size_t k = 1; k < sizeof(spares) / sizeof(spares[0]) && width > room + 1; k++)
		width -= drop(table, spares[k], widths);
}

int table_print(struct table *table)
{
	int r = 0;

	if (table->sort)
		r = scols_sort_table(table->scols, table->sort);
	fit(table);
	if (table->is_escaped && !table->is_strange)
		(void)scols_table_enable_noencoding(table->scols, 1);
	if (r == 0 && scols_table_get_nlines(table->scols) > 0)
		r = scols_print_table(table->scols);
	else if (r == 0)
		print_empty(table);
	if (r < 0)
		complain("cannot print: %s", strerror(-r));
	table_free(table);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}
