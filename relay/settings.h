/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * settings.h: what the options of cbrelay(8) decide about every connection.
 * Lengths of time in microseconds; 0 is "off" where a limit can be off.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scoreboard.h"

struct settings {
	enum score_policy policy;
	enum proxy_version proxy;      /* the header for nodes if their line in the list does not say */
	uint64_t connect_timeout_usec;
	uint64_t idle_timeout_usec;
	size_t connections_per_relay;  /* at least 1 */
	size_t queue_limit;
	uint32_t clients;              /* how many clients the policy affinity remembers at least */
	uint32_t forget_sec;           /* affinity forgets a client that has not come for so long; or SCORE_FORGET_NEVER */
	bool fair;                     /* the next slot goes to the client that holds the fewest */
	uint64_t patience_usec;        /* a free slot is kept for a waiter that is to get a faster slot, for so long at most */
	uint32_t per_client;           /* slots that a client may have; 0: any number */
	uint64_t queue_timeout_usec;   /* while nodes are merely busy */
	uint64_t down_timeout_usec;    /* while no node is available */
	uint64_t retry_after_usec;
	uint64_t exit_idle_usec;
	bool exit_idle;                /* whether exit_idle_usec counts: 0 is "at once" */
	bool abandon_on_eof;
	int verbose;
};
