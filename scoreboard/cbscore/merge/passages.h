/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * passages.h: the connections of the gateway that lines of the nodes' logs may
 * belong to. A connection that ended too long before all lines to come is
 * forgotten, so memory does not grow with the logs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway_log.h"

struct passages;

/* 0 or -ENOMEM; *ret is the caller's, to be ended by passages_free(). */
int passages_new(struct passages **ret);

/* NULL is fine. Returns NULL. */
struct passages *passages_free(struct passages *passages);

/* Adds a connection. Connections are added in the order of their ends. 0 or -errno. */
int passages_add(struct passages *passages, const struct passage *passage);

/* Forgets the connections that ended before end_usec. */
void passages_forget(struct passages *passages, uint64_t end_usec);

/* A line of a node's log, as far as it says which connection it is about. */
struct question {
	struct endpoint peer;        /* the client's address, as the node says it */
	const char *node;            /* the node that wrote the log; NULL: unknown */
	uint64_t usec, unit_usec;    /* when it was written, at this usec or less than unit_usec later; unit 0: the line
				      * was not written before usec, and it is unknown when it was */
	uint64_t skew_usec;          /* the node's clock may differ by so much */
};

enum found {
	FOUND,            /* *ret_client is its client's name, with its port */
	FOUND_NONE,       /* no such connection */
	FOUND_SEVERAL,    /* connections of several clients, and nothing tells which */
	FOUND_STRANGER,   /* no connection so far has this address as the gateway's */
};

/*
 * Finds the connection of a line. *ret_client stays valid until the next call;
 * *ret_begin_usec is when the connection began. Without a port only an address
 * can be found: FOUND if all connections from there that were open then are of
 * the same client address.
 */
enum found passages_find(struct passages *passages, const struct question *question, const char **ret_client,
			 uint64_t *ret_begin_usec);

/* How many connections were added. */
uint64_t passages_count(const struct passages *passages);

/* How many of the connections that were added have no line. */
uint64_t passages_count_lineless(const struct passages *passages);

/* The end of the youngest connection; 0: there is none. */
uint64_t passages_last_usec(const struct passages *passages);

/* The begin of the first connection that began after usec; 0: there is none. */
uint64_t passages_first_after(const struct passages *passages, uint64_t usec);

/* How many bytes of a client's name are its address, brackets included. */
size_t passages_address_size(const char *client);
