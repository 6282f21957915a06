/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * relay.c: an idle relay waits in either of two places. While relays accept, an
 * idle relay waits in an epoll of the listening sockets. Each socket is entered
 * with EPOLLEXCLUSIVE, so that a connection wakes a single relay, and always the
 * same relays as long as they keep up: few processes run, and their caches are
 * warm. While the listener accepts, an idle relay polls for orders and for a move
 * of the gate (see gate.h).
 *
 * Nothing of a connection reaches the next: what is known of a connection lives in
 * a struct connection, descriptors are closed before the relay goes idle, and
 * forward.c wipes the buffers that it keeps.
 */

#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "arrival.h"
#include "connection.h"
#include "passing.h"
#include "sigterm.h"
#include "report.h"
#include "socket.h"
#include "system/timespan.h"

#define SHORTAGE_PAUSE_USEC 250000u
#define FULL_USEC 1000u          /* a pause for the listener to move the gate, doubled while it does not */
#define FULL_MAX_USEC 64000u

_Static_assert(RELAY_SOCKETS_MAX <= 64, "a bit each in struct relay");

struct relay {
	const struct relay_place *place;
	struct settings settings;   /* of its connections */
	int epoll_fd;               /* the listening sockets and the socket for orders */
	bool idle;                  /* as far as this relay knows: the listener may have reserved it meanwhile */
	bool last;                  /* retires after this connection */
	bool failed;                /* has a slot that it cannot give back, so it ends */
	uint64_t inheriting;        /* a bit for each listening socket: its connections are known to come prepared */
	uint64_t full_usec;         /* the next pause of wait_full() */
};

/* The listening sockets, and the place of this relay, for orphaned(). */
static int listening[RELAY_SOCKETS_MAX];
static volatile sig_atomic_t n_listening;
static const struct relay_place *own_place;

/*
 * The listener was killed, or is about to end. Its sockets must not live on in
 * relays that are busy for long: clients would connect to them, and no process
 * would accept; nor could the service manager open the socket anew.
 */
static void orphaned(int signal_number)
{
	int error = errno;

	(void)signal_number;
	while (n_listening > 0)
		(void)close(listening[--n_listening]);
	gate_tell_deaf(own_place->gate, own_place->number);
	errno = error;
}

int relay_prepare(void)
{
	const struct sigaction action = { .sa_handler = orphaned, .sa_flags = SA_RESTART };
	int r = sigterm_prepare();

	return r < 0 ? r : sigaction(SIGURG, &action, NULL) < 0 ? -errno : 0;
}

/* Signals are blocked until orphaned() knows what to close. */
static int watch_parent(const struct relay_place *place)
{
	for (size_t i = 0; i < place->n_fds; i++)
		listening[i] = place->fds[i];
	n_listening = (sig_atomic_t)place->n_fds;
	own_place = place;
	(void)prctl(PR_SET_PDEATHSIG, SIGURG);
	if (getppid() != place->parent)
		orphaned(SIGURG); /* the listener died before this relay could watch it */
	return sigterm_begin();
}

static void rest(struct relay *relay)
{
	if (relay->idle)
		return;
	relay->idle = true;
	gate_rest(relay->place->gate, relay->place->number);
}

/* Takes this relay out of IDLE. false: the listener has reserved the relay. */
static bool take(struct relay *relay)
{
	relay->idle = false;
	return gate_take(relay->place->gate, relay->place->number);
}

/* A connection that this relay is to serve. */
struct work {
	int fd;
	uint64_t accepted_usec;
	bool ordered;               /* the listener accepted it, and has the socket, too, until it closes its copy */
	bool is_shared;             /* as in the order */
	char client[ADDRESS_MAX];
	struct connection_start start;
};

/* What a relay does next. */
enum next {
	NEXT_SERVE,
	NEXT_LOOK,      /* look at the gate again */
	NEXT_END,
	NEXT_FAIL,
};

/* The relay ends with an error: says why. */
static enum next fail(int error)
{
	report_message(LOG_ERR, "cannot go on as a relay: %s", score_strerror(error));
	return NEXT_FAIL;
}

int relay_order(int fd, const struct relay_order *order, int client_fd)
{
	return passing_send(fd, order, sizeof(*order), client_fd);
}

/* Takes the slot of an order. SERVE; or LOOK: the listener has taken the order back. */
static enum next take_order(struct relay *relay, const struct relay_order *order, struct work *ret)
{
	const struct relay_place *place = relay->place;

	if (!gate_begin_taking(place->gate, place->number)) {
		(void)close(ret->fd);
		relay->idle = false;
		rest(relay);
		return NEXT_LOOK;
	}
	relay->idle = false; /* the listener reserved this relay before it sent the order */
	(void)socket_prepare_once(ret->fd);
	ret->ordered = true;
	ret->is_shared = order->is_shared;
	ret->accepted_usec = order->accepted_usec;
	(void)memcpy(ret->client, order->client, sizeof(ret->client));
	ret->start.ticket = order->ticket;
	/* At any other result the ticket waits again, or the scoreboard fails: connection.c handles both. */
	ret->start.has = score_take(place->score, &ret->start.ticket, &ret->start.slot, &ret->start.target) == 0
				 ? HAS_SLOT : HAS_TICKET;
	gate_taken(place->gate, place->number);
	return NEXT_SERVE;
}

/* Takes a pending order. SERVE, LOOK (no order was there), END (the listener has let this relay go, or has died), or
 * FAIL (the order was lost). */
static enum next receive_order(struct relay *relay, struct work *ret)
{
	struct relay_order order;
	int r = passing_receive(relay->place->orders_fd, &order, sizeof(order), &ret->fd);

	if (r < 0)
		return r == -EAGAIN || r == -EINTR ? NEXT_LOOK : fail(r);
	if (r == 0)
		return NEXT_END;
	return take_order(relay, &order, ret);
}

/* The listener has reserved this relay: an order, or the end of orders, is on the way. SIGTERM waits for that. */
static enum next await_order(struct relay *relay, struct work *ret)
{
	for (;;) {
		struct pollfd fd = { .fd = relay->place->orders_fd, .events = POLLIN };
		enum next next = receive_order(relay, ret);

		if (next != NEXT_LOOK || relay->idle)
			return next; /* or the listener has taken the order back */
		if (poll(&fd, 1, -1) < 0 && errno != EINTR)
			return fail(-errno);
	}
}

/* This machine is short of something, and this relay can free nothing: pauses for a moment. */
static enum next sit_out(struct relay *relay, int error)
{
	struct pollfd fd = { .fd = relay->place->orders_fd, .events = 0 };

	if (gate_note_shortage(relay->place->gate))
		report_message(LOG_ERR, "cannot accept: %s; connections wait in the backlog meanwhile",
			       score_strerror(error));
	return sigterm_poll(&fd, 1, SHORTAGE_PAUSE_USEC) == -EINTR ? NEXT_END : NEXT_LOOK;
}

/*
 * The farm is full. The listener moves the gate and takes in what is pending. Until then epoll reports the pending
 * connection again and again: so the relay pauses. If the listener is stopped, relays look for free slots at the end of
 * each pause.
 */
static enum next wait_full(struct relay *relay, struct work *ret)
{
	struct pollfd fd = { .fd = relay->place->orders_fd, .events = POLLIN };
	int r;

	gate_tell_full(relay->place->gate);
	rest(relay);
	r = sigterm_poll(&fd, 1, relay->full_usec);
	relay->full_usec = relay->full_usec < FULL_MAX_USEC ? relay->full_usec * 2 : FULL_MAX_USEC;
	if (r < 0)
		return r == -EINTR ? NEXT_END : fail(r);
	return r > 0 ? receive_order(relay, ret) : NEXT_LOOK;
}

/* What follows a claim that ended with r and without a connection. */
static enum next no_arrival(struct relay *relay, const struct arrival *arrival, int r)
{
	enum next next = NEXT_LOOK;

	if (arrival_is_over(arrival->error))
		next = NEXT_END; /* the listener has died, or has shut the socket down */
	else if (r < 0)
		next = sit_out(relay, r); /* whatever it was, the connection is still pending, and would be tried at once */
	if (next == NEXT_LOOK)
		rest(relay);
	return next; /* or another process has accepted what was pending */
}

/* Prepares a connection that was accepted from a listening socket, unless it has inherited that. */
static void prepare(struct relay *relay, int listening_fd, int fd)
{
	uint64_t bit = 1;

	for (size_t i = 0; relay->place->fds[i] != listening_fd; i++)
		bit <<= 1;
	if (!(relay->inheriting & bit) && socket_prepare_once(fd))
		relay->inheriting |= bit;
}

/*
 * Claims a slot for the connection that is pending on a listening socket, if there is one, and accepts it in the
 * claim. If no slot is free the connection stays in the backlog: the listener takes it in.
 */
static enum next accept_one(struct relay *relay, int listening_fd, struct work *ret)
{
	struct arrival arrival = { .listening_fd = listening_fd, .fd = -1 };
	const struct score_arrival comes = {
		.policy = relay->settings.policy, .clients = relay->settings.clients, .accept = arrival_accept, .arg = &arrival,
		.forget_sec = relay->settings.forget_sec,
	};
	int r;

	if (!take(relay))
		return await_order(relay, ret);
	r = score_claim(relay->place->score, &comes, &ret->start.slot, &ret->start.target, NULL);
	if (arrival.fd < 0)
		return r == 1 ? wait_full(relay, ret) : no_arrival(relay, &arrival, r);
	relay->full_usec = FULL_USEC;
	gate_took(relay->place->gate);
	gate_end_shortage(relay->place->gate);
	prepare(relay, listening_fd, arrival.fd);
	ret->fd = arrival.fd;
	ret->ordered = false;
	ret->accepted_usec = arrival.accepted_usec;
	(void)memcpy(ret->client, arrival.client, sizeof(ret->client));
	ret->start.has = r == 0 ? HAS_SLOT : HAS_NOTHING; /* the scoreboard failed after the accept: claims anew */
	return NEXT_SERVE;
}

/* While relays accept: accepts, or waits until a socket has a connection or there is an order. */
static enum next while_relays_accept(struct relay *relay, struct work *ret)
{
	const struct relay_place *place = relay->place;
	struct epoll_event event;
	int r;

	/* When other relays are idle, they have most likely taken what was pending. */
	if (place->n_fds == 1 && !gate_others_idle(place->gate, place->number)) {
		enum next next = accept_one(relay, place->fds[0], ret);

		if (next != NEXT_LOOK)
			return next;
		/* The listener may have moved the gate meanwhile: it has then let go only the relays that were idle. */
		if (gate_get(place->gate) != GATE_RELAYS)
			return NEXT_LOOK;
	}
	r = sigterm_epoll(relay->epoll_fd, &event);
	if (r == -EINTR)
		return NEXT_END;
	if (r < 0)
		return fail(r);
	if (event.data.fd == place->orders_fd)
		return receive_order(relay, ret);
	if (event.data.fd == score_wake_fd(place->score)) {
		(void)score_wake_clear(place->score); /* after damage: answers that this relay holds nothing */
		return NEXT_LOOK;
	}
	return gate_get(place->gate) == GATE_RELAYS ? accept_one(relay, event.data.fd, ret) : NEXT_LOOK;
}

static enum next while_listener_accepts(struct relay *relay, struct work *ret)
{
	struct pollfd fds[] = {
		{ .fd = relay->place->orders_fd, .events = POLLIN },
		{ .fd = relay->place->gate->open_fd, .events = POLLIN },
		{ .fd = score_wake_fd(relay->place->score), .events = POLLIN },
	};
	int r = sigterm_poll(fds, 3, NO_TIMEOUT);

	if (r < 0)
		return r == -EINTR ? NEXT_END : fail(r);
	if (fds[2].revents)
		(void)score_wake_clear(relay->place->score); /* as in while_relays_accept() */
	return fds[0].revents ? receive_order(relay, ret) : NEXT_LOOK;
}

/* Waits for the next connection. SERVE, END or FAIL. */
static enum next find_work(struct relay *relay, struct work *ret)
{
	enum next next = relay->idle ? NEXT_LOOK : await_order(relay, ret);

	while (next == NEXT_LOOK) {
		switch (gate_get(relay->place->gate)) {
		case GATE_RELAYS:
			next = while_relays_accept(relay, ret);
			break;
		case GATE_LISTENER:
			next = while_listener_accepts(relay, ret);
			break;
		case GATE_CLOSED:
		case GATE_END:
			next = NEXT_END;
			break;
		}
	}
	/* A relay that the listener has reserved waits for the order: no other process would serve it. */
	while (next == NEXT_END && relay->idle && !take(relay)) {
		next = await_order(relay, ret);
		if (next == NEXT_LOOK)
			next = NEXT_END; /* the order has been taken back */
	}
	return next;
}

static int make_epoll(const struct relay_place *place)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = place->orders_fd };
	int fd = epoll_create1(EPOLL_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = epoll_ctl(fd, EPOLL_CTL_ADD, place->orders_fd, &event);
	event.data.fd = score_wake_fd(place->score);
	if (r == 0 && event.data.fd >= 0) /* without this watch a rebuild waits until this relay ends */
		r = epoll_ctl(fd, EPOLL_CTL_ADD, event.data.fd, &event);
	for (size_t i = 0; r == 0 && i < place->n_fds; i++) {
		event = (struct epoll_event){ .events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = place->fds[i] };
		r = epoll_ctl(fd, EPOLL_CTL_ADD, place->fds[i], &event);
	}
	if (r == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

/*
 * Whether SIGTERM came before this relay had the connection. The connection is
 * served all the same: the signal was not meant for it, and ends the relay after
 * it. At GATE_END, however, SIGTERM is meant for every connection, this one too: so
 * the relay notes it again. The gate is looked at last, as that SIGTERM may have
 * merged with the earlier SIGTERM.
 */
static bool told_before(const struct relay *relay)
{
	if (!sigterm_pending())
		return false;
	sigterm_forgive();
	if (gate_get(relay->place->gate) == GATE_END)
		sigterm_again();
	return true;
}

static bool is_shared(const void *arg)
{
	const struct relay_place *place = arg;

	return gate_is_shared(place->gate, place->number);
}

static bool is_always_shared(const void *arg)
{
	(void)arg;
	return true;
}

static void serve(struct relay *relay, const struct work *work)
{
	const struct relay_place *place = relay->place;
	struct connection connection;

	connection_init(&connection, work->fd, work->accepted_usec, work->client);
	if (work->ordered) {
		connection.is_shared = work->is_shared ? is_always_shared : is_shared;
		connection.arg = place;
	}
	connection.note = place->note;
	(void)connection_serve(&connection, place->score, &relay->settings, &work->start);
	relay->failed = connection.is_slot_left;
	relay->last |= relay->failed;
}

int relay_run(const struct relay_place *place)
{
	struct relay relay = { .place = place, .settings = *place->settings, .full_usec = FULL_USEC };
	struct work work;
	enum next next = NEXT_FAIL;
	int r;

	/* An accepted connection is never refused: the limit only decides what the listener leaves in the backlog. */
	relay.settings.queue_limit = 0;
	r = watch_parent(place);
	if (r == 0)
		r = relay.epoll_fd = make_epoll(place);
	if (r < 0) {
		report_message(LOG_ERR, "cannot begin as a relay: %s", strerror(-r));
		return EX_OSERR;
	}
	/* A process that rebuilt the scoreboard before it could ask this relay waits for the answer that the relay
	 * holds nothing. */
	score_answer(place->score);
	if (!place->reserved)
		rest(&relay);
	for (size_t left = place->settings->connections_per_relay; left > 0 && !relay.last; left--) {
		next = find_work(&relay, &work);
		if (next != NEXT_SERVE)
			break;
		relay.last = left == 1;
		relay.last |= told_before(&relay);
		serve(&relay, &work);
		if (!relay.last)
			rest(&relay);
		else if (!work.ordered) /* with an order it may have been woken by another connection, too */
			gate_retire(place->gate, place->number);
	}
	return next == NEXT_FAIL || relay.failed ? EX_OSERR : EX_OK;
}
