/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * forward.h: moves the bytes of one connection, both ways.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum forward_outcome {
	FORWARD_DONE,         /* both ends have ended their side, everything was delivered */
	FORWARD_CLIENT_RESET, /* or it had an error after its end, and the node's machine has all that it said */
	FORWARD_NODE_RESET,   /* as well */
	FORWARD_CLIENT_VANISHED, /* its machine answers nothing any more, see pulse.h */
	FORWARD_NODE_VANISHED,
	FORWARD_IDLE,         /* between the peers and this machine nothing moved for the idle timeout */
	FORWARD_INTERRUPTED,  /* SIGTERM */
	FORWARD_FAILED,       /* this machine could not: *ret_errno */
};

struct forward_counts {
	uint64_t in;          /* bytes from the client that the node's socket has taken; at the end of a connection */
	uint64_t out;         /* that was not DONE: that the peer's machine has acknowledged. out: the other way */
	bool node_first;      /* the node ended its side, or was reset, while the client's side was open */
	uint64_t node_usec;   /* and how long after the beginning */
};

/*
 * Forwards until one of the outcomes. Both sockets must be non-blocking; they
 * stay the caller's. taken bytes were read from the client before. head, size bytes, is sent to the node before all else and
 * not counted. The client's socket has the keepalive. idle_timeout_usec 0: silence may last for ever. progress, if not
 * NULL, is called at most once a second while bytes move.
 */
enum forward_outcome forward(int client_fd, int node_fd, uint64_t taken, const void *head, size_t size, uint64_t idle_timeout_usec,
			     void (*progress)(const struct forward_counts *counts, void *arg), void *arg,
			     struct forward_counts *ret, int *ret_errno);

/* The node has reset the connection before anything was forwarded: gives the client what it had said until then, as far
 * as the client takes it soon. How many bytes have reached the client's machine. */
uint64_t forward_last(int client_fd, int node_fd);
