/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * gateway_log.h: what a gateway has written about its connections, in the order
 * of their ends: the output of `journalctl -o export`, or the lines of key=value
 * that relays write where there is no journal. The first bytes tell which it is.
 */

#include <stdint.h>

#include "endpoint.h"
#include "scoreboard.h"

/* A connection that reached a node. Times are microseconds since 1970. */
struct passage {
	uint64_t begin_usec, end_usec;
	struct endpoint local;                /* the gateway's end towards the node: what the node's log has */
	char node[NODE_NAME_MAX + 1];
	char client[SCORE_CLIENT_MAX + 1];    /* with its port */
};

struct gateway_log;

/* Opens a file ("-": standard input). 0 or -errno; *ret is the caller's, to be ended by gateway_log_close(). */
int gateway_log_open(const char *path, struct gateway_log **ret);

/* NULL is fine. Returns NULL. */
struct gateway_log *gateway_log_close(struct gateway_log *log);

/* Reads the next connection that reached a node. 1: *ret is filled; 0: the file is at its end; or -errno; -EBADMSG: the
 * file breaks off within an entry, or an entry has another form. */
int gateway_log_next(struct gateway_log *log, struct passage *ret);

/* How many lines of connections could not be used, as they have no time: an older relay wrote them. */
uint64_t gateway_log_timeless(const struct gateway_log *log);

/* How many lines, or entries of the journal, were read, if none of them is of a connection; or 0. */
uint64_t gateway_log_strange(const struct gateway_log *log);
