/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * opening.h: what a client says before its connection to a node is known to be
 * made.
 */

#include <stdbool.h>
#include <stddef.h>

#include "system/proxy_header.h"

#define OPENING_ROOM 65536u /* bytes of the buffer; */
#define OPENING_MAX (OPENING_ROOM - PROXY_HEADER_MAX) /* that are held at most: our own header may have to go before them */

/* All zero at first. */
struct opening {
	size_t before;    /* bytes that were read earlier: another proxy's header */
	size_t held;      /* bytes that were read from the client, in opening_buffer() */
	size_t sent;      /* of these, bytes that the node's socket has taken; more than 0: the node is connected */
	int error;        /* of the client's socket: the connection is to end by a reset */
	bool is_empty;    /* the client's socket was read, and there was no more to read */
};

/* Where the bytes are: a process has one connection at a time, and so one buffer. */
unsigned char *opening_buffer(void);

/*
 * Takes what the client has said, unless it was taken before, and offers it to a
 * socket with a connect that is under way. 1: the socket has taken some, and so is
 * connected. 0: that cannot be told, as it has taken nothing, or the client has said
 * nothing, or the client's socket has failed (opening->error). Or the -errno of the
 * connect, or of the connection that it made; the kernel does not tell it again.
 */
int opening_offer(struct opening *opening, int client_fd, int node_fd);

/* Wipes the buffer as far as it was used. */
void opening_clear(struct opening *opening);
