/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * gate.h: the memory that a listener shares with its relays, and through which
 * they agree, without a message, on who takes the next connection.
 *
 * While the gate is open, idle relays accept connections by themselves, and
 * the listener sleeps. While it is shut the listener takes them in, and idle
 * relays wait to be given one. A relay is idle or busy, one byte each; only
 * whoever turns that byte from idle to busy, the relay itself or the listener,
 * may give it work, so it never has two connections at once.
 *
 * The listener sleeps through all this but for what it asked to be called for.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATE_RELAYS_MAX 65536u

enum gate_position {
	GATE_SHUT,   /* the listener takes connections in */
	GATE_OPEN,   /* relays accept by themselves */
	GATE_CLOSED, /* nobody does: relays that are through shall end */
	GATE_ENDED,  /* and no connection shall go on: SIGTERM is meant for all of them */
};

/* What the listener can ask to be called for. */
enum gate_call {
	CALL_NO_IDLE = 1,   /* the last idle relay has work now */
	CALL_ALL_IDLE = 2,  /* the last busy one has none any more */
	CALL_WORK = 4,      /* a relay has work */
	CALL_REST = 8,      /* a relay is idle */
};

struct gate_memory;

struct gate {
	struct gate_memory *memory; /* shared by all of them */
	int call_fd;                /* readable when a relay calls: the listener's to wait for and gate_answer() */
	int open_fd;                /* readable while the gate is open: an idle relay's to wait for */
};

/* Makes a gate, shut, to be inherited by fork(2). 0 or -errno; the caller ends it with gate_clear(). */
int gate_make(struct gate *ret);
void gate_clear(struct gate *gate);

/* ---- the listener ---- */

void gate_set(struct gate *gate, enum gate_position position);

/* A relay is about to be forked: reserved, for work that it is then given, or coming, until it rests. */
void gate_add(struct gate *gate, size_t relay, bool reserved);

/* A relay has ended. */
void gate_remove(struct gate *gate, size_t relay);

/* The first idle relay from the given one on; GATE_RELAYS_MAX if there is none. */
size_t gate_find_idle(const struct gate *gate, size_t from);

/* How many are idle; how many are still coming; whether any is busy. */
size_t gate_count_idle(const struct gate *gate);
size_t gate_count_coming(const struct gate *gate);
bool gate_any_busy(const struct gate *gate);

/* When a relay last came to rest: CLOCK_BOOTTIME, 0 for never. */
uint64_t gate_rested_usec(const struct gate *gate);

/* Makes an idle relay busy, for work that the caller then gives it. false: it was not idle any more. */
bool gate_reserve(struct gate *gate, size_t relay);

/* Asks to be called for each of these (enum gate_call) from now on, once; 0: for nothing. */
void gate_ask(struct gate *gate, unsigned calls);

/* Ends a call: call_fd is not readable any more. */
void gate_answer(struct gate *gate);

/* Whether a relay found the farm full since this was asked last. */
bool gate_was_full(struct gate *gate);

/* How many connections relays have accepted by themselves so far. */
uint64_t gate_accepted(const struct gate *gate);

/* ---- a relay ---- */

enum gate_position gate_get(const struct gate *gate);

/* This relay has, or is about to have, no connection: from now on it can be given one. */
void gate_rest(struct gate *gate, size_t relay);

/* Whether any other relay than this one is idle. */
bool gate_others_idle(const struct gate *gate, size_t relay);

/* This relay takes a connection by itself. false: the listener was first; work is coming. */
bool gate_take(struct gate *gate, size_t relay);

/* Tells the listener of what gate_take() led to, if it asked: call it when there really was a connection. */
void gate_took(struct gate *gate);

/* The farm is full: the listener shall shut the gate. */
void gate_tell_full(struct gate *gate);
