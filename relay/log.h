/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * log.h: where the lines of a relay go: to the journal with fields where its
 * stderr is the journal or is the client's own socket, else as text on stderr.
 * A line never waits: where it is not taken at once it is lost, and counted
 * over all processes that were forked since log_setup(). The next line that is
 * taken is followed by one that says how many were lost.
 */

#include <stdbool.h>
#include <stddef.h>

/* Decides where to. Call it once, before there are children: from then on neither stdout nor stderr is the client's
 * socket. program is kept. */
void log_setup(const char *program);

/* From now on by standard error where that is the journal's, which knows the unit of it. Of a process that sends by
 * itself the journal asks /proc, where a process that ends right after its message may be no more. */
void log_by_stderr(void);

/* The socket to the journal, for a process that closes what it does not know; -1: there is none. */
int log_fd(void);

/* Whether lines have fields. */
bool log_has_fields(void);

/* A line that is made up field by field, each "NAME=value". What does not fit is left out. */
struct log_line {
	size_t n;
	char text[2048];
};

void log_add(struct log_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sends a line with fields to the journal; log_has_fields() must hold. */
void log_send(const struct log_line *line);

/* Says one line of plain text, at a syslog(3) priority. */
void log_text(int priority, const char *text);
