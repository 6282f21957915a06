/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * html.h: text and numbers as HTML and as people read them.
 */

#include <stdint.h>
#include <stdio.h>

/* Writes text with escapes, for the inside of elements and of quoted attributes. */
void html_text(FILE *out, const char *text);

/* Writes a length of time: "now", "3 s", "12 min", "5 h", "4 d". */
void html_age(FILE *out, uint64_t usec);

/* Writes a length of time: "0 ms", "345 ms", "4.2 s", "119 s", "12 min". */
void html_span(FILE *out, uint64_t usec);

/* Writes a number of bytes: "0 B", "1.5 kB", "2.0 GB". */
void html_bytes(FILE *out, uint64_t bytes);

/* Writes a count with a narrow no-break space between groups of three digits. */
void html_count(FILE *out, uint64_t count);
