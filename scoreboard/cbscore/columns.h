/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * columns.h: every column of every table, in one array. The tables, -o, --sort
 * and --help use it.
 */

#include <stdbool.h>
#include <stddef.h>

enum table_kind {
	TABLE_NODES,   /* items are struct score_node */
	TABLE_SLOTS,   /* struct score_slot_info */
	TABLE_QUEUE,   /* struct score_ticket_info */
	TABLE_CLIENTS, /* struct score_client_info */
	TABLE_EXPLAIN, /* struct explain_row */
	TABLE_GATEWAYS, /* struct gateway_note */
	TABLE_KINDS_,
};

enum column_type {
	COLUMN_TEXT,
	COLUMN_NUMBER,
	COLUMN_BOOLEAN,
	COLUMN_TIME,   /* microseconds since the epoch; a date for people */
	COLUMN_AGE,    /* microseconds since the epoch; shown as how long ago, for programs in seconds */
	COLUMN_STATE,  /* text, coloured for people */
};

/* In which forms of a table a column is shown without -o. */
enum column_shown {
	SHOWN_NOT,
	SHOWN_ALWAYS,
	SHOWN_PEOPLE,   /* not in raw and JSON */
	SHOWN_PROGRAMS, /* in raw and JSON only */
};

#define COLUMN_TEXT_MAX 1024

struct column {
	enum table_kind table;
	const char *name;
	enum column_shown shown;
	enum column_type type;
	const char *help;
	/* Writes the plain form of the item's value; an empty text means no value (null in JSON). */
	void (*format)(const void *item, char text[static COLUMN_TEXT_MAX]);
};

extern const struct column columns[];
extern const size_t n_columns;

/* The column of a table with that name (in any case), or NULL. */
const struct column *column_find(enum table_kind table, const char *name, size_t length);

/* The name of a table in its JSON and in --help. */
const char *table_name(enum table_kind table);
