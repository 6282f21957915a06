/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * node_log.h: a node's own log, line by line: what a line says of its client, and
 * the line written with another client in that place.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "node_format.h"

#define NODE_LOG_RECENT 8u

struct node_log {
	const char *path;
	char *node;              /* the node that wrote the log; NULL: it was not named */
	FILE *file;              /* NULL: at its end */
	char *line;              /* log_line_read()'s, of size bytes */
	size_t size, room;
	bool names_client;       /* says is filled */
	struct node_line says;
	uint64_t number;         /* of the line, from 1 on */
	uint64_t order_usec;     /* where the line belongs among those of other logs; never goes back */

	/* Of a log without times: when the last connections that were found in it began. */
	uint64_t recent_usec[NODE_LOG_RECENT];
	uint64_t newest_usec;
	unsigned n_recent;

	uint64_t found, missing, unclear, strangers, others; /* lines, by what became of them */
};

/* Opens "[NODE=]FILE"; FILE - is standard input. 0 or -errno; path is set in either case. The caller ends it with
 * node_log_clear(). argument stays the caller's and outlives the log. */
int node_log_open(const char *argument, struct node_log *ret);

/* Closes the log and frees what it holds. */
void node_log_clear(struct node_log *log);

/* Reads the next line. near_usec as moment_parse() has it. 1: a line was read; 0: the log is at its end; or -errno. */
int node_log_next(struct node_log *log, uint64_t near_usec);

/* Of a log without times: a time before which no line from here on was written. first_usec: when the first connection of
 * all began. */
uint64_t node_log_clock(const struct node_log *log, uint64_t first_usec);

/* A connection that began then was found for a line without a time. */
void node_log_note(struct node_log *log, uint64_t begin_usec);

/* Writes the line and a newline. client stands in the place of the client that the line names; NULL: the line stays as it
 * is. */
void node_log_write(const struct node_log *log, FILE *out, const char *client);
