/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * report.h: what a relay says: to the journal with fields where its stderr is
 * the journal or is the client's own socket, else as text on stderr.
 */

#include <stdarg.h>

#include "connection.h"
#include "scoreboard.h"

/* Decides where to. Call it once, early: from then on neither stdout nor stderr is the client's socket. */
void report_setup(const char *program);

/*
 * For a process whose children report, too, and close what they do not know:
 * the number of the socket to the journal, which they must keep. It is
 * libsystemd's own, from its first message on, and it would take whatever gets
 * that number later for it. -1: nothing goes to the journal, or from now on as
 * text on stderr, which is the journal's as well.
 */
int report_before_forks(void);

/* For a process that ends right after its messages: they go by standard error where that is the journal's, which knows
 * the unit of it. Of who sends one by itself the journal asks /proc, where he may be no more. */
void report_before_end(void);

/* One line, at a syslog(3) priority. */
void report_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The node list at a path was taken as it is, and it is empty. */
void report_no_nodes(const char *path);

/* The end of a connection. */
void report_connection(const struct connection *connection);

/* A node went down or came up because of a connection; nothing if the edge is none. */
void report_node(const char *node, const struct score_edge *edge);
