/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * report.h: what a relay says: to the journal with fields where its stderr is
 * the journal or is the client's own socket, else as text on stderr.
 */

#include <stdarg.h>

#include "connection.h"
#include "scoreboard.h"

/* Decides where to. Call it once, early: from then on stderr is never the client's socket. */
void report_setup(const char *program);

/* One line, at a syslog(3) priority. */
void report_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The end of a connection. */
void report_connection(const struct connection *connection);

/* A node went down or came up because of a connection; nothing if the edge is none. */
void report_node(const char *node, const struct score_edge *edge);
