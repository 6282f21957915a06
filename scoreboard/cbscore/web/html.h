/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * html.h: text and numbers as HTML and as people read them.
 */

#include <stdint.h>
#include <stdio.h>

/* Writes text so that it is text, within elements and within quoted attributes. */
void html_text(FILE *out, const char *text);

/* "now", "3 s", "12 min", "5 h", "4 d". */
void html_age(FILE *out, uint64_t usec);

/* A length of time with two digits that matter: "0 ms", "4.2 s", "12 min". */
void html_span(FILE *out, uint64_t usec);

/* Bytes: "0 B", "1.5 kB", "2.0 GB". */
void html_bytes(FILE *out, uint64_t bytes);

/* A count with a thin space between groups of three digits. */
void html_count(FILE *out, uint64_t count);
