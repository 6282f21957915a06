/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * listener.c: decides which process takes the next connection. The listener never
 * touches a byte of a connection.
 *
 * gate.h explains how the listener and its relays agree.
 *
 * The number of relays follows the load, not the number of clients. A few idle
 * relays are kept ahead. When all relays are busy and connections are pending for
 * a moment, the listener makes more, slowly if the present relays keep accepting.
 * When it is quiet again, the listener lets them go.
 *
 * Only the parent of a relay, the listener, learns at once that the relay was
 * killed. The listener frees its slot before any other process could notice.
 */

#include "listener.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "former.h"
#include "greetings.h"
#include "loader.h"
#include "system/log.h"
#include "pool.h"
#include "proxy.h"
#include "report.h"
#include "sigterm.h"
#include "size.h"
#include "socket.h"
#include "system/processors.h"
#include "system/timespan.h"
#include "timer.h"
#include "waiters.h"

#define ACCEPTS_AT_ONCE 64
#define SPARE_FDS 64              /* descriptors kept for all but waiters and relays */
#define FDS_PER_RELAY 2           /* its socket for orders, and its pidfd */
#define FDS_NEEDED (SPARE_FDS + FDS_PER_RELAY + 1) /* to serve a connection */
#define PAUSE_USEC 250000u        /* before the next try, after a shortage of this machine */
#define STATUS_USEC USEC_PER_SEC
#define FOLLOW_USEC USEC_PER_SEC  /* how often to look whether the scoreboard's file was replaced, at least */
#define REOPEN_USEC 5000u         /* the shortest time for which the listener accepts */
#define TRIM_USEC (5 * USEC_PER_SEC)
#define REST_USEC 2000u           /* how long a waiter's slot waits for a relay to become idle */
#define LEAVE_USEC (5 * USEC_PER_SEC) /* for what the next scoreboard would not know; TimeoutStopSec= of the units is longer */
#define PASS_ON_USEC USEC_PER_SEC /* how long the service manager may take to read what it is passed */
#define LOOK_USEC (3600 * USEC_PER_SEC) /* how long to sleep at most: a time of --exit-idle may be longer than a timer can be set */

/* A shortage of this machine: what failed for it is tried again after a pause. */
struct shortage {
	struct timer pause;            /* set while the pause lasts */
	bool complained;               /* the shortage has been told, and has not ended since */
};

struct listener {
	struct score *score;
	const struct settings *settings;
	const char *nodes, *wrong;     /* see struct listener_setup */
	sd_event *event;
	sd_event_source **accepting;
	int *fds;
	size_t n_fds, fd_limit;
	struct waiters *waiters;
	struct formers *formers;       /* NULL: none is left */
	struct greetings *greetings;   /* NULL: no source of PROXY headers was named */
	struct pool *pool;
	struct loader *loader;
	struct timer idle_time, status_time, reopen_time, pending_time, trim_time, room_time, rest_time, follow_time,
		leave_time;
	uint64_t shut_usec;            /* when the farm was last seen full: CLOCK_MONOTONIC */
	uint64_t accepted;             /* connections accepted by relays, as of the last look */
	uint64_t ended, failed;        /* relays that have ended, and those of them that had failed, as of the last look */
	uint64_t told_accepted;        /* as accepted, when the status was last told */
	uint64_t active_usec;          /* when the listener last had something to do: CLOCK_BOOTTIME */
	struct size size;              /* of the pool */
	int journal_fd;                /* see log_fd() */
	int farm_fd;                   /* of a stand-alone farm, or -1 */
	struct shortage admission;     /* of what it takes to take connections in */
	struct shortage forking;       /* of what it takes to start relays */
	struct shortage serving;       /* the scoreboard cannot say which waiter has a slot */
	bool owned, notify, stopping;
	bool told;                     /* to stop, by a signal */
	bool leaving;                  /* sockets end with this listener: what is left in their backlogs is reset */
	const struct handover *coming; /* waiters of the previous listener that have no place yet */
	size_t n_coming;
	uint64_t stopping_usec;        /* when it began to stop: CLOCK_REALTIME */
	bool may_fork;                 /* no relay became idle in time for a waiter that has a slot */
	bool lack_relays;              /* a waiter has a slot, and there was no relay for it */
	bool ending;                   /* stopping at once */
	bool crowded;                  /* descriptors are too few for what is pending, and that has been told */
	bool empty;                    /* the farm had no node when the status was last told */
	char status[512];              /* as last told */
};

static void listener_turn(void *arg);
static void take_over(struct listener *l);
static void leave_without_folder(struct listener *l);

static void set_timer(struct listener *l, struct timer *timer, uint64_t usec, void (*fn)(void *arg))
{
	int r = timer_set(timer, l->event, CLOCK_MONOTONIC, usec, 1, fn, l);

	if (r < 0)
		report_message(LOG_WARNING, "cannot set a timer: %s", strerror(-r));
}

/* How many connections this process itself has, those that are with a relay left out. */
static size_t count_here(const struct listener *l)
{
	return waiters_count(l->waiters) + greetings_count(l->greetings);
}

/* How many relays have a connection, or are coming. */
static size_t count_working(const struct listener *l)
{
	size_t idle = gate_count_idle(pool_gate(l->pool)), relays = pool_size(l->pool);

	return relays > idle ? relays - idle : 0;
}

/* How many more descriptors waiters and relays may have. */
static size_t descriptors_left(const struct listener *l)
{
	size_t taken = count_here(l) + pool_given(l->pool) + FDS_PER_RELAY * pool_size(l->pool) + SPARE_FDS;

	return taken < l->fd_limit ? l->fd_limit - taken : 0;
}

/* Whether --queue-limit lets another client wait. A connection takes no place before its header has come: clients that send no
 * header would keep out clients that could be served. */
static bool has_place(const struct listener *l)
{
	return !l->settings->queue_limit || l->leaving ||
	       waiters_count(l->waiters) + greetings_count_known(l->greetings) < l->settings->queue_limit;
}

/* How many connections are pending; SIZE_UNKNOWN: some. */
static size_t count_pending(const struct listener *l)
{
	size_t pending = 0;

	for (size_t i = 0; i < l->n_fds && pending != SIZE_UNKNOWN; i++) {
		int n = socket_pending(l->fds[i]);

		pending = n < 0 ? SIZE_UNKNOWN : pending + (size_t)n;
	}
	return pending;
}

static bool is_pending(const struct listener *l)
{
	return count_pending(l) > 0;
}

/* ---- what this machine is short of ---- */

static bool is_paused(const struct shortage *shortage)
{
	return timer_is_set(&shortage->pause);
}

/* Says the first time what cannot be done, and has it tried again after a pause. */
static void take_a_pause(struct listener *l, struct shortage *shortage, const char *what, int error)
{
	if (!shortage->complained)
		report_message(LOG_ERR, "cannot %s: %s; connections wait in the backlog meanwhile", what,
			       score_strerror(error));
	shortage->complained = true;
	set_timer(l, &shortage->pause, PAUSE_USEC, listener_turn);
}

static void on_room_time(void *arg);

/* Descriptors are too few for the pending connections: says so, and not again while any is pending. */
static void be_crowded(struct listener *l)
{
	if (!l->crowded)
		report_message(LOG_WARNING, "the limit of %zu descriptors is reached; connections wait in the backlog meanwhile",
			       l->fd_limit);
	l->crowded = true;
	set_timer(l, &l->room_time, PAUSE_USEC, on_room_time);
}

static void on_room_time(void *arg)
{
	struct listener *l = arg;

	/* No waiter is left that could make room by being served: idle relays are let go instead. */
	if (waiters_count(l->waiters) == 0 && descriptors_left(l) == 0)
		pool_shrink(l->pool, 1);
	if (l->crowded && is_pending(l))
		be_crowded(l);
	else
		l->crowded = false;
	listener_turn(l);
}

/* ---- taking connections in ---- */

/* What came of an attempt to accept. */
enum accepted {
	ACCEPTED_ONE,
	ACCEPTED_NONE,  /* none is pending */
	ACCEPTED_LATER, /* not now: there is no room, or no means */
};

/* Takes in a connection: of a former socket as long as any is pending there, otherwise of fd. */
static enum accepted accept_one(struct listener *l, int fd)
{
	int former = formers_first(l->formers), r;

	if (former >= 0)
		fd = former;
	if (is_paused(&l->admission) || l->n_coming > 0 ||
	    (!waiters_owe_ticket(l->waiters) && (!has_place(l) || descriptors_left(l) == 0)))
		return ACCEPTED_LATER;
	r = l->greetings && !waiters_owe_ticket(l->waiters) ? greetings_admit(l->greetings, fd) : waiters_admit(l->waiters, fd);
	if (r < 0) {
		/* A relay may have said it. */
		l->admission.complained |= !gate_note_shortage(pool_gate(l->pool));
		take_a_pause(l, &l->admission, "accept", r);
		return ACCEPTED_LATER;
	}
	l->admission.complained = false;
	gate_end_shortage(pool_gate(l->pool));
	return r == 0 ? ACCEPTED_ONE : ACCEPTED_NONE;
}

/* Takes in a connection that was accepted, also beyond --queue-limit: nothing watches or times it before it is a waiter. 0;
 * or -errno: it has to stay where it is for now. */
static int take_in(const struct arrival *arrival, size_t head, void *arg)
{
	struct listener *l = arg;
	int r;

	if (l->n_coming > 0 || (is_paused(&l->admission) && !l->leaving) || waiters_owe_ticket(l->waiters))
		return -EAGAIN;
	r = waiters_take_in(l->waiters, arrival, head);
	if (r < 0)
		take_a_pause(l, &l->admission, "accept", r);
	else if (waiters_owe_ticket(l->waiters))
		(void)accept_one(l, -1); /* tries again, and takes a pause if that fails */
	return r;
}

/* Takes in what is pending on the sockets of the previous listener. Returns whether that was anything. */
static bool take_in_former(struct listener *l)
{
	bool any = false;

	while (formers_first(l->formers) >= 0 && accept_one(l, -1) == ACCEPTED_ONE)
		any = true;
	l->formers = formers_settle(l->formers);
	return any;
}

/* The listener ends: it takes in what is pending on those sockets, however long its queue is then. */
static void leave_formers(struct listener *l)
{
	l->leaving = true;
	(void)take_in_former(l);
	l->formers = formers_leave(l->formers);
}

static void take_in_known(struct listener *l)
{
	if (!l->greetings)
		return;
	greetings_look(l->greetings);
	greetings_pass(l->greetings, false, take_in, l);
}

/* ---- relays ---- */

static void grow(struct listener *l, size_t n)
{
	const struct gate *gate = pool_gate(l->pool);
	/* One descriptor stays for a waiter. */
	size_t room = descriptors_left(l) > 0 ? (descriptors_left(l) - 1) / FDS_PER_RELAY : 0;
	size_t there = gate_count_coming(gate) + gate_count_idle(gate);
	int r;

	if (is_paused(&l->forking) || room == 0)
		return;
	r = pool_grow(l->pool, n < there + room ? n : there + room);
	if (r < 0)
		take_a_pause(l, &l->forking, "start a relay", r);
	else
		l->forking.complained = false;
}

static void on_pending_time(void *arg);

/* Has the listener look in a moment whether connections are pending. */
static void look_soon(struct listener *l)
{
	if (timer_is_set(&l->pending_time))
		return;
	l->accepted = gate_accepted(pool_gate(l->pool));
	set_timer(l, &l->pending_time, l->size.look_usec, on_pending_time);
}

static void grow_for_pending(struct listener *l, size_t n)
{
	size_t before = pool_size(l->pool);

	grow(l, n);
	if (pool_size(l->pool) > before)
		size_grown(&l->size, pool_size(l->pool) - before);
	else if (descriptors_left(l) <= FDS_PER_RELAY && gate_count_coming(pool_gate(l->pool)) == 0)
		be_crowded(l);
}

/*
 * Idle relays sleep, and no process has accepted what is pending: the relay that
 * was woken for it has ended or was given something else. So the listener accepts.
 */
static void take_pending(struct listener *l)
{
	for (size_t i = 0; i < l->n_fds; i++)
		(void)accept_one(l, l->fds[i]);
}

static void on_pending_time(void *arg)
{
	struct listener *l = arg;
	const struct gate *gate = pool_gate(l->pool);
	const struct size_view view = {
		.pending = gate_get(gate) == GATE_RELAYS ? count_pending(l) : 0,
		.idle = gate_count_idle(gate),
		.accepted = gate_accepted(gate) - l->accepted,
		.running = processors_wanted(),
		.processors = processors_there(),
	};
	size_t n = size_grow(&l->size, &view);

	if (n > 0)
		grow_for_pending(l, n);
	else if (view.pending > 0 && view.idle > 0 && view.accepted == 0)
		take_pending(l);
	if (view.pending > 0)
		look_soon(l);
	listener_turn(l);
}

static void on_trim_time(void *arg)
{
	struct listener *l = arg;

	pool_shrink(l->pool, size_keep(gate_count_idle(pool_gate(l->pool))));
	listener_turn(l);
}

static void on_rest_time(void *arg)
{
	struct listener *l = arg;

	l->may_fork = true;
	listener_turn(l);
	l->may_fork = false;
}

/*
 * A slot often comes to a waiter just before the relay that gave the slot back is idle. A new relay is made only if no
 * relay becomes idle within a moment.
 */
static int give(const struct relay_order *order, int fd, void *arg)
{
	struct listener *l = arg;
	bool may_fork = l->may_fork || l->settings->connections_per_relay == 1 || !gate_any_busy(pool_gate(l->pool));
	int r = pool_give(l->pool, order, fd, may_fork && !is_paused(&l->forking));

	if (r == -EAGAIN && !may_fork)
		set_timer(l, &l->rest_time, REST_USEC, on_rest_time);
	else if (r < 0 && !is_paused(&l->forking))
		take_a_pause(l, &l->forking, "start a relay", r);
	else if (r == 0 && may_fork && !is_paused(&l->forking))
		l->forking.complained = false;
	/* What cannot be given now is given when a relay is idle, or when more relays can be started. */
	l->lack_relays = r < 0;
	return r;
}

static void take_back(const struct relay_order *order, int fd, void *arg)
{
	const struct listener *l = arg;

	waiters_return(l->waiters, order, fd);
}

static void serve_waiters(struct listener *l)
{
	int r;

	l->lack_relays = false;
	r = waiters_serve(l->waiters, give, l);
	if (r < 0 && !l->lack_relays)
		take_a_pause(l, &l->serving, "serve the queue", r);
	else
		l->serving.complained = false;
}

static void on_follow_time(void *arg)
{
	struct listener *l = arg;
	uint64_t usec;

	(void)score_follow(l->score); /* the next call that needs the scoreboard tells of a failure */
	pool_follow(l->pool);
	/* Others than this listener's relays may have died, too: those of the listener before, and waiters of other
	 * entrances. */
	if (score_watch(l->score, &usec) < 0 || usec > FOLLOW_USEC)
		usec = FOLLOW_USEC;
	set_timer(l, &l->follow_time, usec, on_follow_time);
	leave_without_folder(l);
}

/* ---- the gate ---- */

/* Whether relays are to accept: for a moment, slots have been free and no client has waited. */
static bool may_open(struct listener *l)
{
	uint64_t now_usec = now_monotonic();

	/* With --per-client a client is known only when its connection is accepted: a relay that accepted it might have to wait
	 * for a slot. With PROXY headers a relay would have to await the header within its claim. */
	if (l->settings->per_client || l->greetings)
		return false;
	if (gate_was_full(pool_gate(l->pool)) || l->n_coming > 0 || formers_first(l->formers) >= 0 ||
	    waiters_count(l->waiters) > 0 || score_is_free(l->score) != 1) {
		l->shut_usec = now_usec;
		return false;
	}
	if (now_usec - l->shut_usec >= REOPEN_USEC)
		return true;
	set_timer(l, &l->reopen_time, REOPEN_USEC, listener_turn);
	return false;
}

static void listen_for(struct listener *l, bool on)
{
	for (size_t i = 0; i < l->n_fds; i++)
		if (l->accepting[i])
			(void)sd_event_source_set_enabled(l->accepting[i], on ? SD_EVENT_ON : SD_EVENT_OFF);
}

/* What relays are to call the listener for. */
static unsigned calls(const struct listener *l, bool open)
{
	return (open && !timer_is_set(&l->pending_time) ? CALL_NO_IDLE : 0) |
	       (l->settings->exit_idle && !timer_is_set(&l->idle_time) ? CALL_ALL_IDLE : 0) |
	       (l->notify && !timer_is_set(&l->status_time) ? CALL_WORK : 0) | (l->lack_relays ? CALL_REST : 0) |
	       (pool_given(l->pool) > 0 && descriptors_left(l) < ACCEPTS_AT_ONCE ? CALL_TAKEN : 0);
}

static void set_gate(struct listener *l)
{
	struct gate *gate = pool_gate(l->pool);
	bool open = !l->stopping && l->n_fds > 0 && may_open(l);
	bool closed = l->n_fds == 0 && !l->formers && l->n_coming == 0 && count_here(l) == 0;
	bool strict = l->settings->connections_per_relay == 1;
	/* The relay that a connection woke normally accepts it. If that relay has died, or the listener accepted at
	 * that time, no process does: look. */
	bool look = open && (gate_get(gate) != GATE_RELAYS || pool_ended(l->pool) != l->ended);

	l->ended = pool_ended(l->pool);
	/* A relay that fails says why. The next relay would fail, too: to fork it at once would take a whole core. */
	if (pool_failed(l->pool) != l->failed)
		set_timer(l, &l->forking.pause, PAUSE_USEC, listener_turn);
	l->failed = pool_failed(l->pool);
	gate_set(gate, l->ending ? GATE_END : closed ? GATE_CLOSED : open ? GATE_RELAYS : GATE_LISTENER);
	if (closed)
		pool_shrink(l->pool, 0);
	gate_ask(gate, calls(l, open));
	if (!open) {
		/* No room, or no means: the rest waits in the backlog. */
		listen_for(l, !l->stopping && !is_paused(&l->admission) && has_place(l) &&
			      (descriptors_left(l) > 0 || !timer_is_set(&l->room_time)));
		return;
	}
	if (size_is_low(strict, strict ? gate_count_coming(gate) + gate_count_idle(gate) : pool_size(l->pool)))
		grow(l, size_ahead(strict));
	if (look) /* also while a relay is coming: with several sockets it may sleep at once */
		look_soon(l);
	/* If no relay can accept and no look is due in a moment, the next connection wakes the listener. */
	listen_for(l, !is_paused(&l->forking) && !timer_is_set(&l->pending_time) &&
		      gate_find_idle(gate, 0) == GATE_RELAYS_MAX && gate_count_coming(gate) == 0);
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct listener *l = arg;

	(void)source;
	(void)revents;
	if (gate_get(pool_gate(l->pool)) == GATE_RELAYS) {
		/* A relay may become idle in a moment; if none does, more relays are made. */
		listen_for(l, false);
		look_soon(l);
	} else {
		for (unsigned i = 0; i < ACCEPTS_AT_ONCE && accept_one(l, fd) == ACCEPTED_ONE; i++)
			;
		if (descriptors_left(l) == 0 && has_place(l) && is_pending(l))
			be_crowded(l);
	}
	listener_turn(l);
	return 0;
}

/* ---- idle, status ---- */

/* Whether neither the listener nor a relay has a connection. */
static bool is_idle(const struct listener *l)
{
	return count_here(l) == 0 && l->n_coming == 0 && !l->formers && !(l->stopping && l->n_fds > 0) &&
	       !loader_is_busy(l->loader) && !gate_any_busy(pool_gate(l->pool));
}

static void stop(struct listener *l);

/*
 * Ends the listener if it has been idle for --exit-idle; else sets a timer to look again. A listener without sockets ends
 * when it is idle: it stops, or it was given only what the listener before it had, because the socket's unit has Accept=yes
 * now.
 */
static void exit_if_idle(struct listener *l)
{
	uint64_t now_usec = now_boottime(), since_usec = gate_rested_usec(pool_gate(l->pool)), idle_usec, left_usec;

	if (!is_idle(l)) {
		l->active_usec = now_usec;
		return;
	}
	if ((l->stopping || l->n_fds == 0) && pool_size(l->pool) == 0)
		(void)sd_event_exit(l->event, EX_OK);
	if (!l->settings->exit_idle || l->stopping || timer_is_set(&l->idle_time))
		return;
	if (since_usec < l->active_usec)
		since_usec = l->active_usec;
	idle_usec = now_usec > since_usec ? now_usec - since_usec : 0;
	left_usec = l->settings->exit_idle_usec > idle_usec ? l->settings->exit_idle_usec - idle_usec : 0;
	if (left_usec > 0)
		set_timer(l, &l->idle_time, left_usec < LOOK_USEC ? left_usec : LOOK_USEC, listener_turn);
	else if (!is_pending(l))
		stop(l);
}

static void format_status(const struct listener *l, const struct score_totals *totals, char *text, size_t size)
{
	time_t since = (time_t)(l->stopping_usec / USEC_PER_SEC);
	struct tm local;
	int n;

	n = snprintf(text, size, "%llu busy, %llu free, %llu waiting", (unsigned long long)totals->busy,
		     (unsigned long long)totals->free, (unsigned long long)totals->waiting);
	if (totals->kept > 0 && n >= 0 && (size_t)n < size)
		n += snprintf(text + n, size - (size_t)n, "; %llu free kept (--patience)", (unsigned long long)totals->kept);
	if (totals->nodes == 0 && n >= 0 && (size_t)n < size)
		n += snprintf(text + n, size - (size_t)n, "; no nodes%s%s", l->wrong ? ": " : "", l->wrong ? l->wrong : "");
	if (!l->stopping || n < 0 || (size_t)n >= size || !localtime_r(&since, &local))
		return;
	(void)snprintf(text + n, size - (size_t)n, "; stopping since %02d:%02d:%02d, for %zu connections and %zu waiters here",
		       local.tm_hour, local.tm_min, local.tm_sec, count_working(l), waiters_count(l->waiters));
}

static void on_status_time(void *arg)
{
	struct listener *l = arg;
	struct score_totals totals;
	char text[sizeof(l->status)];

	l->told_accepted = gate_accepted(pool_gate(l->pool));
	if (score_totals(l->score, &totals) == 0) {
		l->empty = totals.nodes == 0;
		if (!l->empty)
			l->wrong = NULL; /* a list has been loaded since */
		format_status(l, &totals, text, sizeof(text));
		if (strcmp(text, l->status) != 0)
			(void)sd_notifyf(0, "STATUS=%s", text);
		(void)memcpy(l->status, text, sizeof(text));
	}
	listener_turn(l);
}

/* ---- the end of the sockets ---- */

static void close_socket(struct listener *l, size_t i)
{
	/* Relays have the socket, too: no client may connect to a socket from which no process accepts. */
	if (l->owned)
		(void)shutdown(l->fds[i], SHUT_RDWR);
	sd_event_source_disable_unref(l->accepting[i]);
	(void)close(l->fds[i]);
	l->n_fds--;
	l->fds[i] = l->fds[l->n_fds];
	l->accepting[i] = l->accepting[l->n_fds];
	l->accepting[l->n_fds] = NULL;
}

static void close_sockets(struct listener *l)
{
	while (l->n_fds > 0)
		close_socket(l, l->n_fds - 1);
}

/* Whether the scoreboard's folder was removed: no claim will be possible in this process any more. */
static bool lacks_folder(const struct listener *l)
{
	struct stat st;

	return fstat(score_folder_fd(l->score), &st) == 0 && st.st_nlink == 0;
}

/* The listener stops: it first takes in the backlog of each socket that ends with it, however long that takes. */
static void drain(struct listener *l)
{
	enum accepted accepted = ACCEPTED_NONE;

	if (l->n_fds == 0)
		return;
	for (; l->n_fds > 0; close_socket(l, 0)) {
		do
			accepted = accept_one(l, l->fds[0]);
		while (accepted == ACCEPTED_ONE);
		if (accepted == ACCEPTED_LATER && socket_pending(l->fds[0]) != 0)
			break;
	}
	if (l->n_fds > 0 && lacks_folder(l)) {
		report_message(LOG_ERR, "the folder of the scoreboard was removed: connections in the backlog are not served");
		close_sockets(l);
	}
	if (l->n_fds == 0) {
		pool_close_sockets(l->pool); /* a unix socket's path is in use as long as any process has the socket */
		return;
	}
	if (descriptors_left(l) == 0)
		be_crowded(l);
	/* The waiters that were taken in stay; no other client comes in while any of them is left. */
	for (size_t i = 0; i < l->n_fds; i++)
		(void)listen(l->fds[i], 0);
	set_timer(l, &l->room_time, PAUSE_USEC, on_room_time);
}

/* Called after every event: serves waiters, and sets up what to wait for next. */
static void listener_turn(void *arg)
{
	struct listener *l = arg;

	take_over(l);
	if (waiters_owe_ticket(l->waiters) && !is_paused(&l->admission))
		(void)accept_one(l, -1);
	(void)take_in_former(l);
	if (l->stopping)
		drain(l);
	pool_settle(l->pool);
	do {
		take_in_known(l);
		serve_waiters(l);
		waiters_look(l->waiters);
	} while (take_in_former(l)); /* no event tells again of what is pending there when a place comes free */
	/* While the listener is idle, the status changes only with an event for which the listener is called. A load of
	 * the first nodes is no such event. */
	if (l->notify && (!*l->status || l->empty || !is_idle(l) || gate_accepted(pool_gate(l->pool)) != l->told_accepted))
		set_timer(l, &l->status_time, STATUS_USEC, on_status_time);
	set_gate(l);
	/* Settles what relays did before they were asked to call. */
	pool_settle(l->pool);
	if (l->lack_relays && gate_find_idle(pool_gate(l->pool), 0) < GATE_RELAYS_MAX)
		serve_waiters(l);
	if (pool_size(l->pool) > SIZE_KEPT)
		set_timer(l, &l->trim_time, TRIM_USEC, on_trim_time);
	exit_if_idle(l);
}

/* ---- from a listener to the next ---- */

/* Waiters of the previous listener get their places again; no other client comes in before. */
static void take_over(struct listener *l)
{
	char name[HANDOVER_NAME_MAX];
	int r;

	while (l->n_coming > 0 && !is_paused(&l->admission)) {
		const struct handover *handover = &l->coming[0];

		r = waiters_take_over(l->waiters, handover);
		if (r < 0) {
			take_a_pause(l, &l->admission, "take a waiter over", r);
			return;
		}
		/* Without this the store would keep the client's socket open after the connection has ended. */
		handover_name(handover, name);
		(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
		l->coming++;
		l->n_coming--;
	}
}

/*
 * Whether the service manager keeps descriptors for the next listener, and relays may outlive this listener. systemd
 * sets this variable from version 254 on; for older versions the unit sets it.
 */
static bool has_store(const struct listener *l)
{
	return l->notify && !l->owned && getenv("FDSTORE");
}

/* How many waiters that store has room for, beside the sockets and what this listener has not taken over. Of what is
 * beyond its size the service manager says nothing: it closes that. */
static size_t store_room(const struct listener *l)
{
	const char *text = getenv("FDSTORE");
	size_t size = text ? strtoul(text, NULL, 10) : 0, taken = l->n_fds + l->n_coming;

	return size == 0 ? SIZE_MAX : size > taken ? size - taken : 0;
}

/* What has been passed on. */
struct passed {
	size_t n, room;
	int r;
};

static int pass_on(const struct arrival *arrival, size_t head, void *arg)
{
	struct passed *passed = arg;

	(void)head;
	passed->r = passed->n < passed->room ? waiters_pass_on(arrival) : -EMFILE;
	if (passed->r < 0)
		return passed->r;
	passed->n++;
	(void)close(arrival->fd);
	return 0;
}

/* Passes on the connections for which the scoreboard has no place now, without a place. */
static int pass_on_greetings(struct listener *l, struct passed *passed)
{
	if (greetings_count(l->greetings) == 0)
		return 0;
	greetings_pass(l->greetings, true, pass_on, passed);
	(void)sd_notify_barrier(0, PASS_ON_USEC);
	return passed->r;
}

/* Passes the waiters on, lets the relays finish what they have, and ends. 0; or -errno: some waiters are left here. */
static int hand_over(struct listener *l)
{
	struct gate *gate = pool_gate(l->pool);
	struct passed passed = { .room = store_room(l) };
	int r;

	leave_formers(l);
	gate_set(gate, GATE_CLOSED);
	formers_pass_on(l->fds, l->n_fds);
	close_sockets(l);
	pool_forget_sockets(l->pool);
	pool_revoke(l->pool);
	pool_shrink(l->pool, 0);
	/* The next listener finds the headers in the sockets. What has not come by then is awaited by a relay. */
	if (l->greetings)
		greetings_pass(l->greetings, true, take_in, l);
	passed.n = waiters_count(l->waiters);
	r = waiters_hand_over(l->waiters, passed.room);
	if (r == 0)
		r = pass_on_greetings(l, &passed);
	if (r < 0) {
		report_message(LOG_WARNING, "cannot pass waiters to the next listener: %s; they are served first", strerror(-r));
		return r;
	}
	/* Waited for only here, where the waiters are safe: the service manager may be about to open the socket anew. */
	pool_close_sockets(l->pool);
	report_message(LOG_INFO, "stopping: %zu waiters pass to the next listener, and relays end what they have", passed.n);
	(void)sd_event_exit(l->event, EX_OK);
	return 0;
}

/* ---- signals ---- */

/* Takes no more connections; ends when all that are here have been served. */
static void wind_up(struct listener *l)
{
	l->stopping = true;
	l->stopping_usec = now_realtime();
	gate_set(pool_gate(l->pool), GATE_LISTENER);
	leave_formers(l);
	if (!l->owned)
		close_sockets(l); /* systemd and inetd keep theirs open, with the backlog */
	pool_forget_sockets(l->pool);
	listener_turn(l);
}

static void stop(struct listener *l)
{
	(void)sd_notify(0, "STOPPING=1");
	wind_up(l);
}

/* Whether the next listener's scoreboard will not know this listener's connections: the service manager starts that listener,
 * and it makes the removed folder anew. */
static bool is_forgotten(const struct listener *l)
{
	return l->notify && !l->owned && lacks_folder(l);
}

/*
 * A scoreboard without a folder is seen by no process that starts, and cannot be put back: the processes of a service see
 * no other folder of that name. So the listener ends, when its relays have: till then they have slots that the next
 * scoreboard would not know of. Clients wait in the backlog, and the service manager starts the next listener for them.
 * The manager is not told before the end, as it gives a service that stops only a short time.
 */
static void leave_without_folder(struct listener *l)
{
	if (l->stopping || !is_forgotten(l))
		return;
	report_message(LOG_ERR, "the folder of the scoreboard was removed: the connections of %zu relays and of %zu waiters are "
				"served first, and the next listener makes it anew", count_working(l), waiters_count(l->waiters));
	wind_up(l);
}

static void end_all(void *arg)
{
	struct listener *l = arg;

	report_message(LOG_NOTICE, "stopping at once: ending %zu relays and %zu waiters", count_working(l),
		       waiters_count(l->waiters));
	waiters_end(l->waiters, END_ADMIN);
	if (l->greetings)
		greetings_end(l->greetings, END_ADMIN);
	close_sockets(l);
	l->ending = true;
	gate_set(pool_gate(l->pool), GATE_END); /* also for relays that do not have their connection yet */
	pool_kill(l->pool, SIGTERM);
	listener_turn(l);
}

/*
 * The first signal. Relays that outlive this listener have slots that the next listener's scoreboard must know: where it
 * cannot, they end before the service manager kills this process.
 */
static void stop_first(struct listener *l)
{
	if (is_forgotten(l)) {
		report_message(LOG_NOTICE, "stopping: the connections of %zu relays and of %zu waiters have %u s: the next scoreboard "
					   "would not know of them", count_working(l), waiters_count(l->waiters),
			       (unsigned)(LEAVE_USEC / USEC_PER_SEC));
		set_timer(l, &l->leave_time, LEAVE_USEC, end_all);
	} else {
		report_message(LOG_INFO, "stopping: the connections of %zu relays and of %zu waiters are served first",
			       count_working(l), waiters_count(l->waiters));
	}
	if (!l->stopping)
		stop(l);
	else
		(void)sd_notify(0, "STOPPING=1");
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct listener *l = arg;
	bool is_first = !l->told;

	(void)source;
	(void)info;
	sigterm_remember();
	l->told = true;
	if (!l->stopping && has_store(l) && !is_forgotten(l) && hand_over(l) == 0)
		return 0;
	if (is_first)
		stop_first(l);
	else
		end_all(l);
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct listener *l = arg;

	(void)source;
	(void)info;
	loader_load(l->loader);
	return 0;
}

/* Once libsystemd has read a signal, sigterm_is_asked() does not see it. So no other event comes between: its wait for the
 * lock would not end. */
static int add_end_signal(struct listener *l, int number)
{
	sd_event_source *source = NULL;
	int r = sd_event_add_signal(l->event, &source, number | SD_EVENT_SIGNAL_PROCMASK, on_terminate, l);

	if (r >= 0)
		r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT);
	if (r >= 0)
		r = sd_event_source_set_floating(source, true);
	(void)sd_event_source_unref(source);
	return r;
}

static int begin(struct listener *l, const struct listener_setup *setup)
{
	int r;

	sigterm_watch();
	l->journal_fd = log_fd();
	r = sd_event_new(&l->event);
	if (r >= 0)
		r = add_end_signal(l, SIGTERM);
	if (r >= 0)
		r = add_end_signal(l, SIGINT);
	if (r >= 0)
		r = sd_event_add_signal(l->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_reload, l);
	if (r >= 0)
		r = waiters_new(&(struct waiters_setup){
			.event = l->event, .score = l->score, .settings = l->settings,
			.on_change = listener_turn, .arg = l }, &l->waiters);
	if (r >= 0 && proxy_has_sources())
		r = greetings_new(&(struct greetings_setup){
			.event = l->event, .score = l->score, .on_change = listener_turn, .arg = l }, &l->greetings);
	if (r >= 0)
		r = loader_new(&(struct loader_setup){
			.event = l->event, .score = l->score, .nodes = l->nodes, .entrances = setup->entrances,
			.journal_fd = l->journal_fd,
			.on_change = listener_turn, .arg = l }, &l->loader);
	if (r >= 0)
		r = pool_new(&(struct pool_setup){
			.event = l->event, .score = l->score, .settings = l->settings, .fds = l->fds, .n_fds = l->n_fds,
			.journal_fd = l->journal_fd, .farm_fd = l->farm_fd, .on_change = listener_turn,
			.on_return = take_back, .arg = l }, &l->pool);
	if (r >= 0)
		r = formers_new(&(struct formers_setup){
			.event = l->event, .fds = setup->formers, .n_fds = setup->n_formers, .present = l->fds,
			.n_present = l->n_fds, .on_change = listener_turn, .arg = l }, &l->formers);
	if (r >= 0)
		set_timer(l, &l->follow_time, FOLLOW_USEC, on_follow_time);
	for (size_t i = 0; r >= 0 && i < l->n_fds; i++)
		socket_prepare(l->fds[i]); /* accepted sockets inherit it, those of waiters, too */
	for (size_t i = 0; r >= 0 && i < l->n_fds; i++)
		r = sd_event_add_io(l->event, &l->accepting[i], l->fds[i], POLLIN, on_accept, l);
	return r;
}

static void clear(struct listener *l)
{
	l->formers = formers_free(l->formers);
	l->greetings = greetings_free(l->greetings);
	l->waiters = waiters_free(l->waiters);
	l->pool = pool_free(l->pool);
	l->loader = loader_free(l->loader);
	for (size_t i = 0; l->accepting && l->fds && i < l->n_fds; i++) {
		sd_event_source_disable_unref(l->accepting[i]);
		(void)close(l->fds[i]);
	}
	timer_clear(&l->idle_time);
	timer_clear(&l->admission.pause);
	timer_clear(&l->forking.pause);
	timer_clear(&l->serving.pause);
	timer_clear(&l->status_time);
	timer_clear(&l->reopen_time);
	timer_clear(&l->pending_time);
	timer_clear(&l->trim_time);
	timer_clear(&l->room_time);
	timer_clear(&l->rest_time);
	timer_clear(&l->follow_time);
	timer_clear(&l->leave_time);
	(void)sd_event_unref(l->event);
	free(l->accepting);
	free(l->fds);
}

int listener_run(const struct listener_setup *setup)
{
	size_t n_fds = setup->n_fds;
	struct listener l = {
		.score = setup->score, .farm_fd = setup->farm_fd, .settings = setup->settings, .nodes = setup->nodes,
		.wrong = setup->wrong, .n_fds = n_fds,
		.owned = setup->owned, .coming = setup->waiters, .n_coming = setup->n_waiters,
		.notify = getenv("NOTIFY_SOCKET") != NULL, .active_usec = now_boottime(),
		.fd_limit = (size_t)sysconf(_SC_OPEN_MAX),
	};
	sigset_t child;
	int r = -ENOMEM;

	size_init(&l.size);
	if (l.fd_limit < FDS_NEEDED) {
		report_message(LOG_ERR, "the limit of descriptors is %zu: expected at least %d", l.fd_limit, FDS_NEEDED);
		return EX_OSERR;
	}
	/*
	 * Relays inherit this policy. They run in many short turns: there are fewer switches if a process that wakes
	 * does not preempt the running process. Where the policy is not allowed, nothing changes.
	 */
	(void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL); /* sd-event requires it */

	l.accepting = calloc(n_fds + 1, sizeof(sd_event_source *));
	l.fds = calloc(n_fds + 1, sizeof(int));
	if (l.accepting && l.fds) {
		(void)memcpy(l.fds, setup->fds, n_fds * sizeof(int));
		r = begin(&l, setup);
	}
	if (r >= 0) {
		(void)sd_event_set_watchdog(l.event, true); /* has an effect only if the service manager asks for it */
		(void)sd_notify(0, "READY=1");
		listener_turn(&l);
		r = sd_event_loop(l.event);
	}
	if (r < 0) {
		report_message(LOG_ERR, "cannot listen on: %s", strerror(-r));
		r = EX_OSERR;
	}
	clear(&l);
	return r;
}
