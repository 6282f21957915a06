/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * arrival.h: a connection that is still in the backlog of a listening socket,
 * and how a process accepts it within its claim (see struct score_arrival).
 */

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

/* One attempt to accept a connection. The caller sets listening_fd, and fd to -1. */
struct arrival {
	int listening_fd;
	int fd;                  /* the connection's, non-blocking, the caller's to close; -1: there is none */
	int error;               /* what accept(2) failed with last, or 0: none was pending */
	uint64_t accepted_usec;  /* CLOCK_BOOTTIME */
	char client[ADDRESS_MAX];
	bool is_limited;         /* set by the caller: clients may have so many slots only (--per-client) */
	bool is_uncounted;       /* then: another proxy brings the connection, and its header will name the client */
};

/* The accept function of struct score_arrival; arg is a struct arrival. 0 also if arg has its connection already. */
int arrival_accept(const char **ret_client, void *arg);

/* Whether accept(2) failed because the socket no longer listens. */
bool arrival_is_over(int error);
