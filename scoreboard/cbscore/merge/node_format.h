/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * node_format.h: the forms of a node's log: a row each, a regular expression
 * with the groups address, port and time, and the format of the time. A form of
 * a user's own is a row as well.
 */

#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"
#include "list/pattern.h"

/* What a line says of its client. */
struct node_line {
	struct endpoint peer;
	size_t address_begin, address_end;   /* bytes of the line, with the brackets that the address has */
	size_t port_begin, port_end;         /* the same if there is no port behind the address */
	uint64_t usec, unit_usec;            /* as moment_parse(); unit_usec 0: the line has no time */
};

/* Uses this form alone. time_format NULL: lines have no time. 0; -EINVAL, and why holds the phrase behind "expected". */
int node_format_use(const char *expression, const char *time_format, char why[static EXPECTED_MAX]);

/* Reads a line, without its newline, by the forms in use. near_usec: a time at which the log was written, see moment.h.
 * 1: *ret is filled; 0: the line names no client; -errno: it cannot be told. */
int node_format_read(const char *line, size_t size, uint64_t near_usec, struct node_line *ret);

/* Frees what was compiled. */
void node_format_clear(void);
