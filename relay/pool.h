/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * pool.h: a listener's relays, as their parent sees them: forked ahead of need,
 * given work, replaced when they retire, and let go when there are too many.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "gate.h"
#include "relay.h"
#include "scoreboard.h"
#include "settings.h"

struct pool;

/* What the pool is made of; all of it stays the caller's and outlives the pool. */
struct pool_setup {
	sd_event *event;
	struct score *score;
	const struct settings *settings;
	const int *fds;                        /* the listening sockets */
	size_t n_fds;
	int journal_fd;                        /* see log_fd() */
	int farm_fd;                           /* relays keep it open, see alone.h; or -1 */
	void (*on_change)(void *arg);          /* called when a relay has called or has ended */
	/* Called when a relay did not take its order: the connection, descriptor and ticket are the listener's
	 * again. */
	void (*on_return)(const struct relay_order *order, int fd, void *arg);
	void *arg;
};

/* Makes a pool without relays, its gate at GATE_LISTENER. 0; -E2BIG: too many sockets; or -errno. *ret is the caller's, to be ended
 * by pool_free(). */
int pool_new(const struct pool_setup *setup, struct pool **ret);

/* Lets all relays go and frees the pool. Busy relays finish by themselves. NULL is fine. Returns NULL. */
struct pool *pool_free(struct pool *pool);

/* How many relays there are. */
size_t pool_size(const struct pool *pool);

/* How many relays have ended so far otherwise than by retiring: a connection may have woken any of them for nothing. */
uint64_t pool_ended(const struct pool *pool);

/* How many relays have ended so far because they could not do their work. */
uint64_t pool_failed(const struct pool *pool);

/* Forks relays until n are idle or on their way there. 0 or -errno: fewer were made. */
int pool_grow(struct pool *pool, size_t n);

/*
 * Gives a connection that has a slot to an idle relay, or, with may_fork, to a new relay. 0: fd is the pool's. -EAGAIN:
 * no relay is idle, and no new relay may be made. -errno in general: fd stays the caller's.
 */
int pool_give(struct pool *pool, const struct relay_order *order, int fd, bool may_fork);

/* Closes the descriptors of connections that relays have taken; takes back those that they do not take. To be called
 * after every change. */
void pool_settle(struct pool *pool);

/* Takes back all connections that relays were given and have not begun to take. */
void pool_revoke(struct pool *pool);

/* How many descriptors are kept of connections that relays were given: taken or not, they are closed at pool_settle(). */
size_t pool_given(const struct pool *pool);

/* Lets idle relays go until n are left. */
void pool_shrink(struct pool *pool, size_t n);

/* Relays made from now on take orders only. */
void pool_forget_sockets(struct pool *pool);

/* The scoreboard may have another file than before: relays to come begin with that. */
void pool_follow(struct pool *pool);

/* Has all relays close their copies of the listening sockets, and waits until they have: so the sockets end with the last
 * copy that another program has. A relay that is stopped is not waited for longer than half a second. */
void pool_close_sockets(struct pool *pool);

/* Sends a signal to every relay. */
void pool_kill(struct pool *pool, int signal_number);

/* The pool's gate, see gate.h, for the listener's own decisions. */
struct gate *pool_gate(struct pool *pool);
