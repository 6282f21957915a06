/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * printable.h: text that others choose (a client, a node, its agent, an
 * administrator, the scoreboard) on its way to a terminal, the journal, a page or
 * the environment of a command. All programs write such text by these functions.
 */

#include <stdbool.h>
#include <stdio.h>

/*
 * Leaves printable ASCII and valid UTF-8 as they are, and puts instead in the
 * place of each other byte: control characters, bytes that are no UTF-8, and
 * what only steers a display (C1 controls, direction marks, line separators).
 */
void printable(char *text, char instead);

/* Drops the sequence of UTF-8 that is incomplete at the end of a text that was cut short. */
void printable_cut(char *text);

/* Whether printable() leaves the text as it is. */
bool is_printable(const char *text);

/*
 * As printf(3), to a stream, in a single write; each byte that is not printable
 * becomes '?'. A newline stays only where the format begins or ends with it, so
 * no argument begins a line of its own. Tabs stay.
 */
void print(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes a line printable as print() does, in place: instead is '?', and tabs stay. */
void printable_line(char *text);
