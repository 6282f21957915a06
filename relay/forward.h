/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * forward.h: moves the bytes of one connection, both ways.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "opening.h"

enum forward_outcome {
	FORWARD_DONE,         /* both peers have ended their sides, everything was delivered */
	FORWARD_CLIENT_RESET, /* or it had an error after its end, and the node's machine has all that it said */
	FORWARD_NODE_RESET,   /* the same for the node */
	FORWARD_CLIENT_VANISHED, /* its machine answers nothing any more, see pulse.h */
	FORWARD_NODE_VANISHED,
	FORWARD_IDLE,         /* between the peers and this machine nothing moved for the idle timeout */
	FORWARD_INTERRUPTED,  /* SIGTERM */
	FORWARD_FAILED,       /* this machine could not: *ret_errno */
};

struct forward_counts {
	/* Bytes that the other side's socket has taken; after any outcome but DONE: that its machine has acknowledged. */
	uint64_t in;          /* from the client */
	uint64_t out;         /* from the node */
	bool node_first;      /* the node ended its side, or was reset, while the client's side was open */
	uint64_t node_usec;   /* and how long after the beginning */
	bool confirmed;       /* the node's machine has all that was sent, and the end; it has said all */
};

/* What the caller is told of meanwhile. */
struct forward_calls {
	void (*progress)(const struct forward_counts *counts, void *arg); /* at most once a second, while bytes move */
	void (*settled)(void *arg);  /* once, after a second: the process may well sleep for long now */
	void *arg;
};

/*
 * Forwards until an outcome is reached. Both sockets must be non-blocking; they stay the caller's. opening is what was
 * read from the client before; it is empty afterwards. head, of size bytes, is sent to the node before all else and not
 * counted; with a head nothing of the opening has been sent. The client's socket has the keepalive. idle_timeout_usec 0:
 * silence may last for ever.
 */
enum forward_outcome forward(int client_fd, int node_fd, struct opening *opening, const void *head, size_t size,
			     uint64_t idle_timeout_usec, const struct forward_calls *calls, struct forward_counts *ret,
			     int *ret_errno);

/* The node has reset the connection before anything was forwarded: gives the client what the node had said until then,
 * as far as the client takes it soon. Returns how many bytes have reached the client's machine. */
uint64_t forward_last(int client_fd, int node_fd);
