/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * gate.h: the memory that a listener shares with its relays, and through which
 * they agree, without a message, on which process takes the next connection. Only
 * this comment explains that state machine.
 *
 * The position of the gate says which processes accept:
 *
 *            slots are free, no client waits
 *      LISTENER ------------------------> RELAYS
 *         ^  <-----------------------------  |
 *         |      a relay found the farm full |
 *         |                                  | SIGTERM, or idle for --exit-idle
 *         |  sockets closed, no client waits v
 *      CLOSED <-------------------------- LISTENER, stopping
 *         |
 *         | SIGTERM again
 *         v
 *        END
 *
 * A connection is accepted in the section that gives it its slot or its ticket
 * (struct score_arrival). So a client's place does not depend on which process
 * accepts: the gate only saves work. While slots are free, relays accept and the
 * listener sleeps. While the farm is full, the listener takes connections in, each
 * as a descriptor with a ticket, and gives each to a relay when its slot has come.
 *
 * Each relay has a byte:
 *
 *     ABSENT -> COMING -> IDLE <-> BUSY        a connection that the relay accepts
 *        |                ^ |        ^
 *        |                | v        |
 *        +------------> GIVEN -> TAKING        a connection that the listener gives it
 *                         |  ^
 *                         v  | (the relay drops the order, and is IDLE)
 *                       REVOKED                   BUSY -> RETIRED, after the last connection
 *
 *     what             by         when, and which process it wakes
 *     ABSENT->COMING   listener   before fork(2), for a relay that is to accept
 *     ABSENT->GIVEN    listener   before fork(2), for a relay that has its first order already
 *     COMING->IDLE     relay      the relay is ready; wakes the listener if it asked for CALL_REST
 *     IDLE->BUSY       relay      the relay is about to claim; may wake the listener: CALL_WORK, CALL_NO_IDLE
 *     BUSY->IDLE       relay      slot given back, line written; may wake: CALL_REST, CALL_ALL_IDLE
 *     IDLE->GIVEN      listener   the listener then sends the order, or lets the relay go: both wake the relay
 *     GIVEN->TAKING    relay      the relay has the order; from here on the order cannot be revoked
 *     TAKING->BUSY     relay      the relay has taken the slot; may wake the listener: CALL_TAKEN
 *     GIVEN->REVOKED   listener   the relay has not taken the order for GIVEN_USEC (it is stopped, say), or the listener
 *                                 hands its connections over
 *     REVOKED->IDLE    relay      the relay finds its order revoked, and drops it
 *     BUSY->RETIRED    relay      its last connection, which it accepted, is served; the relay ends
 *     any->ABSENT      listener   the relay has ended; an order that it had not taken is the listener's again
 *
 * Only the process that moves a byte away from IDLE may give that relay work, so
 * a relay never has two connections. The listener keeps the descriptor of a
 * connection that it gives until the relay is BUSY with it: the death of a relay
 * ends only the connection that the relay serves. The listener closes this copy
 * when it is next awake, half a second later at the latest, and is woken for it
 * only if it is short of descriptors. While the socket is shared in this way
 * close(2) would not end it: so a relay ends a shared socket by a call of its own,
 * and its client learns of the end without the listener. A relay from which the
 * listener took a connection back has that socket until it goes on: the order to
 * the next relay says so.
 *
 * Nothing is counted in pairs: a process killed between two counters would leave
 * them apart for ever.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GATE_RELAYS_MAX 65536u

/* Which processes accept connections. */
enum gate_position {
	GATE_LISTENER,
	GATE_RELAYS,
	GATE_CLOSED,  /* no process accepts; relays that have nothing to do end */
	GATE_END,     /* the same, and no connection goes on: SIGTERM is meant for all of them */
};

/* What the listener can ask to be called for. */
enum gate_call {
	CALL_NO_IDLE = 1,   /* the last idle relay has work now */
	CALL_ALL_IDLE = 2,  /* the last busy relay has no work any more */
	CALL_WORK = 4,      /* a relay has work */
	CALL_REST = 8,      /* a relay is idle */
	CALL_TAKEN = 16,    /* a relay has taken what it was given, and the listener needs the descriptor */
};

/* Where a connection that was given to a relay stands. */
enum gate_given {
	GIVEN_UNTAKEN,  /* the relay has not begun to take it */
	GIVEN_TAKING,
	GIVEN_TAKEN,    /* it is the relay's */
};

struct gate_memory;

struct gate {
	struct gate_memory *memory; /* shared by the listener and its relays */
	int call_fd;                /* readable when a relay calls: the listener polls it, and calls gate_answer() */
	int open_fd;                /* not readable while the listener accepts: an idle relay polls it then */
};

/* Makes a gate at GATE_LISTENER, to be inherited by fork(2). 0 or -errno; the caller ends it with gate_clear(). */
int gate_make(struct gate *ret);

/* Frees what gate_make() made. Harmless if gate_make() made nothing. */
void gate_clear(struct gate *gate);

/* ---- the listener ---- */

/* Moves the gate. Wakes relays that wait for it to leave GATE_LISTENER. */
void gate_set(struct gate *gate, enum gate_position position);

/* A relay is about to be forked. given: its byte is GIVEN, for a connection that the caller then gives it; else COMING.
 * */
void gate_add(struct gate *gate, size_t relay, bool given);

/* Where the kernel writes the pid of a relay as it makes the relay. */
pid_t *gate_born(struct gate *gate, size_t relay);

/* Whether the relay has closed its copies of the listening sockets. */
bool gate_is_deaf(const struct gate *gate, size_t relay);

/* Whether the relay has served all that woke it. */
bool gate_is_retired(const struct gate *gate, size_t relay);

/* A relay has ended. If it had a connection, gate_rested_usec() is now. */
void gate_remove(struct gate *gate, size_t relay);

/* The first idle relay at number from or above; GATE_RELAYS_MAX if there is none. */
size_t gate_find_idle(const struct gate *gate, size_t from);

/* How many relays are idle. */
size_t gate_count_idle(const struct gate *gate);

/* How many relays are still coming. */
size_t gate_count_coming(const struct gate *gate);

/* Whether any relay has work. */
bool gate_any_busy(const struct gate *gate);

/* When a relay last became idle, or ended with its connection: CLOCK_BOOTTIME, 0 for never. */
uint64_t gate_rested_usec(const struct gate *gate);

/* Moves an idle relay to GIVEN, for a connection that the caller then gives it. false: the relay was no longer idle. */
bool gate_reserve(struct gate *gate, size_t relay);

/* How far the relay has taken the connection that it was given. */
enum gate_given gate_given(const struct gate *gate, size_t relay);

/* Notes whether the listener, too, has the socket of the connection that it gave the relay. */
void gate_share(struct gate *gate, size_t relay, bool shared);

/* Takes back what a relay was given. false: the relay is taking it, or has. */
bool gate_revoke(struct gate *gate, size_t relay);

/* Asks to be called for each of these (enum gate_call) from now on, once; 0: for nothing. */
void gate_ask(struct gate *gate, unsigned calls);

/* Ends a call: call_fd is not readable any more. */
void gate_answer(struct gate *gate);

/* Whether a relay has found the farm full since the last call of this function. */
bool gate_was_full(struct gate *gate);

/* How many connections relays have accepted so far. */
uint64_t gate_accepted(const struct gate *gate);

/* ---- a relay ---- */

/* Where the gate stands now. */
enum gate_position gate_get(const struct gate *gate);

/* This relay has no connection: from now on it can be given a connection. */
void gate_rest(struct gate *gate, size_t relay);

/* Whether any relay but this relay is idle. */
bool gate_others_idle(const struct gate *gate, size_t relay);

/* This relay is about to claim. false: the listener reserved the relay first; an order is coming. */
bool gate_take(struct gate *gate, size_t relay);

/* Calls the listener after gate_take(), if the listener asked for that. The relay calls this only if there really was a
 * connection. */
void gate_took(struct gate *gate);

/* This relay begins to take what it was given. false: the order was revoked, and is not this relay's. */
bool gate_begin_taking(struct gate *gate, size_t relay);

/* Whether the listener has the socket of the connection that this relay was given, too. true becomes false at any time. */
bool gate_is_shared(const struct gate *gate, size_t relay);

/* This relay has taken the connection: the listener may close its descriptor. */
void gate_taken(struct gate *gate, size_t relay);

/* This relay has accepted and served its last connection: no connection that woke it is left to others. */
void gate_retire(struct gate *gate, size_t relay);

/* The farm is full: the listener is to accept. */
void gate_tell_full(struct gate *gate);

/* This relay has closed its copies of the listening sockets. Safe in a signal handler. */
void gate_tell_deaf(struct gate *gate, size_t relay);

/* ---- the listener and relays ---- */

/* A process could not accept a connection, as this machine is short of something. Returns whether that is news: no
 * process has noted it since a connection was last accepted. Of all processes the one that brings the news says so. */
bool gate_note_shortage(struct gate *gate);

/* A process has accepted a connection: the next shortage is news. */
void gate_end_shortage(struct gate *gate);
