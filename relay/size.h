/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * size.h: how many relays a listener has. The functions decide from numbers alone
 * and change nothing but their own memory.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZE_STEP_MAX 32u          /* relays made at a look, at most */
#define SIZE_KEPT 8u               /* so many idle relays are always kept */
#define SIZE_LOOK_USEC 1000u       /* how long connections are pending before the first look; */
#define SIZE_LOOK_MAX_USEC 8000u   /* and how long between looks while relays keep accepting */
#define SIZE_UNKNOWN SIZE_MAX      /* connections are pending, and the kernel does not say how many */

/* What the rule remembers from look to look. Begins as size_init() leaves it. */
struct size {
	size_t step;               /* relays made at the last look that made some */
	uint64_t fresh;            /* relays made that have not accepted yet */
	uint64_t look_usec;        /* the time to the next look */
};

/* What a listener sees when connections have been pending for a moment. */
struct size_view {
	size_t pending;            /* connections in the backlog, or SIZE_UNKNOWN */
	size_t idle;               /* relays that wait for work */
	uint64_t accepted;         /* connections that relays have accepted since the last look */
	size_t running;            /* processes of this machine that run or could run at once; 0: unknown */
	size_t processors;
};

/* Begins the memory of a listener without relays. */
void size_init(struct size *size);

/* How many idle relays there are before any connection comes. strict: each relay serves a single connection. */
size_t size_ahead(bool strict);

/*
 * Whether to make relays until size_ahead() of them wait for work. n is how many there
 * are; strict: how many are idle or on their way, and several are made at a time, as each
 * connection takes a relay away.
 */
bool size_is_low(bool strict, size_t n);

/*
 * A look: returns how many relays to make. None while a relay is idle, or while the
 * present relays accept so fast that they have taken what is pending by the next
 * look: more relays would only cost more process switches. One if the present
 * relays accept, or if all processors have work: the present relays may only lack
 * a processor. Else twice as many as at the last look.
 */
size_t size_grow(struct size *size, const struct size_view *view);

/* Of the relays that size_grow() asked for, n were made. */
void size_grown(struct size *size, size_t n);

/* How many of the idle relays to keep, asked every few seconds: a burst leaves its relays to the next burst for a
 * while. */
size_t size_keep(size_t idle);
