/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * fold.h: text for people, on terminals of any width.
 */

#include <stddef.h>
#include <stdio.h>

/* How many columns of a terminal the text takes. */
size_t text_width(const char *text);

/* How many bytes of the text, from its beginning, fit in that many columns. No character is divided. */
size_t text_fitting(const char *text, size_t width);

/* Writes a node's name in at most limit bytes, shortened in its middle: host:port is recognised by its beginning and by its
 * end. Returns text. */
const char *fold_name(const char *name, size_t limit, char *text, size_t size);

/* Writes a line, printable as print() writes it. On a terminal that is too narrow for it the line goes
 * on below, behind four blanks; it is divided at blanks only. */
void fold_line(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
