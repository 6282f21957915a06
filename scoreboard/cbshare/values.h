/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * values.h: the values of the engine's keys, which are JSON.
 *     PREFIXn/NODE     {"c":16,"s":{"gw1":6,"gw2":5},"x":["gw3"]}  the node's cores, which gateway may use how many, and
 *                      which gateways have no use for the node now; x is left out where there is no such gateway
 *     PREFIXg/GATEWAY  what a gateway says of itself, its heartbeat
 *     PREFIXe/GATEWAY  an epoch: only its revision counts
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CORES_MAX 65535u          /* of a node */
#define IDENTITY_MAX 511u          /* longest identity, without its NUL */
#define BOOT_MAX 63u
#define SPAN_MAX_USEC UINT64_C(86400000000) /* a day: the longest lease or wait that a gateway may speak of */

/* A heartbeat. Lengths of time are microseconds; age and lease count in the sender's clock. */
struct heartbeat {
	char identity[IDENTITY_MAX + 1];
	char boot[BOOT_MAX + 1];     /* another after each start of the sender's machine; empty: not known */
	uint64_t sequence;
	uint64_t lease_usec;         /* the sender's L */
	uint64_t busy, waiting;
	uint64_t age_usec;           /* of its oldest waiter */
	uint64_t list;               /* a hash of its node list's names and cores */
	bool leaving;
};

/* Writes a heartbeat. The caller frees *ret. 0 or -ENOMEM. */
int heartbeat_format(const struct heartbeat *heartbeat, char **ret);

/* Reads a heartbeat. 0; -EINVAL: the text is no heartbeat. */
int heartbeat_parse(const char *text, struct heartbeat *ret);

struct shares_text;

/* Begins the value of a node with so many cores. NULL: no memory. It is ended by shares_end(). */
struct shares_text *shares_begin(uint32_t cores);

/* Adds a gateway's share. */
void shares_add(struct shares_text *text, const char *gateway, uint32_t share);

/* Adds a gateway that has no use for the node now. */
void shares_add_useless(struct shares_text *text, const char *gateway);

/* Ends the value, and frees text, which may be NULL. 0 and *ret, which the caller frees; or -ENOMEM. */
int shares_end(struct shares_text *text, char **ret);

/* Reads the value of a node: calls each for every share in it; that returns 0, or an error that ends it all. Then it calls
 * useless, which may be NULL, for every gateway that has no use for the node. 0 and *ret_cores; -EINVAL: the text is no node's
 * value; or what each returned. After an error both may have been called for some. */
int shares_parse(const char *text, uint32_t *ret_cores, int (*each)(void *context, const char *gateway, uint32_t share),
		 void (*useless)(void *context, const char *gateway), void *context);
