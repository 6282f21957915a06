/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * log.h: where the lines of a program go: to the journal with fields where its
 * stderr is the journal, or was the client's own socket, else as text on stderr.
 * A line never waits: a line that is not taken at once is lost, and counted
 * over all processes that were forked since log_setup(). The next line that is
 * taken is followed by a line that says how many were lost.
 */

#include <stdbool.h>
#include <stddef.h>

/* For a program that serves a client on its standard descriptors, as inetd starts it: from then on neither stdout nor
 * stderr is the client's socket, and lines go to the journal only. Call it before log_setup(). */
void log_leave_client(void);

/* Decides where lines go. Call it once, before there are children. program is kept. */
void log_setup(const char *program);

/* From now on plain text goes by standard error where that is the journal's: the journal knows the unit of that stream.
 * For the sender of a datagram the journal looks in /proc, where a process that ends right after its message may be gone. */
void log_by_stderr(void);

/* From now on plain text waits for the reader of a standard error that is not the journal's, and none is lost: for a
 * program that a person runs, and that holds up no other process. */
void log_wait_for_reader(void);

/* The socket to the journal, for a process that closes all descriptors it does not know; -1: there is none. */
int log_fd(void);

/* Whether lines have fields. */
bool log_has_fields(void);

/* A line that is put together field by field, each "NAME=value". A field that does not fit is left out. */
struct log_line {
	size_t n;
	char text[4096];
};

/* Adds a field: printf's format, "NAME=...". */
void log_add(struct log_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a field of a name with its "=", or any other beginning, and a value. */
void log_put(struct log_line *line, const char *name, const char *value);

/* Sends a line with fields and the program's name to the journal, also where stderr is not the journal's. 0;
 * -EAGAIN: the journal takes nothing now, and the line is counted as lost; or another -errno: there is no journal. */
int log_send(struct log_line *line);

/* Says a line of plain text, at a syslog(3) priority. */
void log_text(int priority, const char *text);
