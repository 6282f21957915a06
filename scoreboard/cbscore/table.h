/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * table.h: a table of items, as libsmartcols(3) prints it.
 */

#include "columns.h"
#include "context.h"

struct table;

/* The options of every verb that prints a table. */
extern const struct option_set table_options;

/* Makes a table with the columns that the options name, to be ended by table_print(). STATUS_OK and *ret; or another
 * status, and the error was told. */
int table_new(const struct context *context, enum table_kind kind, struct table **ret);

/* Adds a row. 0 or -ENOMEM. */
int table_add(struct table *table, const void *item);

/* Sorts and prints it to stdout, and frees it. Returns a status. */
int table_print(struct table *table);
