/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * waiters.c: every connection taken in gets a ticket. If a slot was free, the
 * ticket has it at once. Otherwise the ticket is granted a slot when a process
 * releases it and wakes the listener. Slots come in the order of the tickets, so
 * the waiters that have a slot are always the first of the list.
 */

#include "waiters.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "departure.h"
#include "arrival.h"
#include "sigterm.h"
#include "limit.h"
#include "proxy.h"
#include "report.h"
#include "system/timespan.h"
#include "timer.h"

#define WATCH_PAUSE_USEC 250000u
#define HAND_OVER_USEC USEC_PER_SEC

struct waiter {
	struct waiters *all;
	struct waiter *next, *prev;
	struct arrival arrival;        /* its descriptor, when it came, its client's name */
	struct score_ticket ticket;
	struct departure departure;
	bool is_shared;                /* see struct relay_order */
	sd_event_source *io;           /* watches whether the client leaves; NULL: the machine was short of something */
};

struct waiters {
	struct waiters_setup setup;
	struct waiter *first, *last;
	struct waiter *unqueued;       /* accepted but without a ticket: the scoreboard failed in between */
	size_t n;
	bool unwatched;                /* there is a waiter without io */
	uint64_t times_put_back;             /* as score_times_put_back() was when all were last looked at */
	bool asked;                    /* what this process holds, by a process that cannot read some holders */
	sd_event_source *wake, *guard_child;
	struct timer guard_time, limit_time, watch_time, kept_time;
	uint64_t kept_usec;            /* what kept_time waits for */
	int next_fd;                   /* pidfd of the process that has the next younger ticket, or -1 */
	int look_error;                /* of the last look after the queue or lost slots; 0: none */
};

static void changed(struct waiters *w)
{
	w->setup.on_change(w->setup.arg);
}

/* ---- a waiter ---- */

static void give_away(struct waiter *waiter)
{
	struct waiters *w = waiter->all;

	*(waiter->prev ? &waiter->prev->next : &w->first) = waiter->next;
	*(waiter->next ? &waiter->next->prev : &w->last) = waiter->prev;
	w->n--;
	/* Before close(2): a relay may have the same socket, and epoll would go on watching it. */
	sd_event_source_disable_unref(waiter->io);
	free(waiter);
}

static void forget(struct waiter *waiter)
{
	int fd = waiter->arrival.fd;

	give_away(waiter);
	(void)close(fd);
}

static void drop_unqueued(struct waiters *w)
{
	(void)close(w->unqueued->arrival.fd);
	free(w->unqueued);
	w->unqueued = NULL;
}

/* Ends a waiter that will not be served: reports it, and frees its place. */
static void end(struct waiter *waiter, enum ended_by by, enum end_cause cause)
{
	(void)score_leave(waiter->all->setup.score, &waiter->ticket); /* -ESTALE: the ticket has been lost */
	connection_report_unserved(&waiter->arrival, waiter->all->setup.score, by, cause);
	forget(waiter);
}

static int on_departure(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct waiter *waiter = arg;
	struct waiters *w = waiter->all;

	/* The bits of epoll and poll that matter here are the same, see epoll_ctl(2). */
	if (departure_check(&waiter->departure, fd, (short)revents, w->setup.settings->abandon_on_eof))
		end(waiter, END_CLIENT, CAUSE_PLAIN);
	else if (waiter->departure.hung_up)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	else
		(void)sd_event_source_set_io_events(source, (uint32_t)departure_events(&waiter->departure));
	changed(w);
	return 0;
}

static int watch(struct waiter *waiter)
{
	return sd_event_add_io(waiter->all->setup.event, &waiter->io, waiter->arrival.fd,
			       (uint32_t)departure_events(&waiter->departure), on_departure, waiter);
}

/* Watches the clients that could not be watched when they came. If that fails again, the next try is in a while. */
static void watch_rest(struct waiters *w)
{
	int r = 0;

	if (!w->unwatched || timer_is_set(&w->watch_time))
		return;
	for (struct waiter *waiter = w->first; waiter && r >= 0; waiter = waiter->next)
		if (!waiter->io)
			r = watch(waiter);
	w->unwatched = r < 0;
	if (r < 0)
		(void)timer_set(&w->watch_time, w->setup.event, CLOCK_MONOTONIC, WATCH_PAUSE_USEC, 0, w->setup.on_change,
				w->setup.arg);
}

/*
 * ---- the guard, see score_guard() ----
 *
 * While slots are lost (each process is asked then what it holds) the listener
 * looks after them also without a waiter: a relay that met the damage may not
 * look into other processes, and may have named processes of other farms.
 */

static void on_guard_time(void *arg);

static void guard_stop(struct waiters *w)
{
	timer_clear(&w->guard_time);
	w->guard_child = sd_event_source_disable_unref(w->guard_child);
	if (w->next_fd >= 0)
		(void)close(w->next_fd);
	w->next_fd = -1;
}

static void guard_start(struct waiters *w, uint64_t usec)
{
	int r = timer_set(&w->guard_time, w->setup.event, CLOCK_MONOTONIC, usec, 0, on_guard_time, w);

	if (r < 0)
		report_message(LOG_WARNING, "cannot keep the guard of the queue: %s", strerror(-r));
}

static int on_guard_child(sd_event_source *source, int fd, uint32_t revents, void *arg);

/* Notes what came of a look. Returns whether that is to be told: looks fail in a row for the same reason. */
static bool is_news(struct waiters *w, int r)
{
	int before = w->look_error;

	w->look_error = r < 0 && r != -ESTALE ? r : 0;
	return w->look_error < 0 && w->look_error != before;
}

static void guard_look(struct waiters *w)
{
	bool asked = w->asked;
	pid_t next_pid;
	int r = 0;

	guard_stop(w);
	w->asked = false; /* the look asks all processes again, this one, too, as long as any has not answered */
	if (w->last) {
		r = score_guard(w->setup.score, &w->last->ticket, &next_pid, &w->next_fd);
		if (is_news(w, r))
			report_message(LOG_ERR, "cannot look after the queue: %s", score_strerror(r));
		if (w->next_fd >= 0)
			(void)sd_event_add_io(w->setup.event, &w->guard_child, w->next_fd, POLLIN, on_guard_child, w);
		guard_start(w, SCORE_GUARD_USEC);
	} else if (asked) {
		r = score_reap(w->setup.score, NULL, NULL);
		if (is_news(w, r))
			report_message(LOG_ERR, "cannot look after lost slots: %s", score_strerror(r));
	}
	changed(w);
}

static int on_guard_child(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)source;
	(void)fd;
	(void)revents;
	guard_look(arg);
	return 0;
}

/* A listener that is not the guard looks after the queue only if no other process does. */
static void on_guard_time(void *arg)
{
	struct waiters *w = arg;
	uint64_t usec;

	if (w->guard_child && w->last && score_is_guarded(w->setup.score, &w->last->ticket, &usec) > 0)
		guard_start(w, usec);
	else
		guard_look(w);
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct waiters *w = arg;
	uint64_t times_put_back = score_times_put_back(w->setup.score);
	bool woken = score_wake_clear(w->setup.score);

	(void)source;
	(void)fd;
	(void)revents;
	w->asked |= score_times_put_back(w->setup.score) != times_put_back;
	/* The process that this listener watches may have stopped waiting without ending: look again soon. */
	if ((woken || w->asked) && w->guard_child)
		guard_stop(w);
	/* A slot may be kept from the waiters, and this listener may be the process that looks after them. */
	if (woken && w->first && score_may_keep(w->setup.score))
		(void)score_deal(w->setup.score);
	changed(w);
	return 0;
}

/* ---- a slot that is kept free for a time, see score_set_patience() ---- */

/* Slots are dealt, as far as they are not kept. That this failed shows at the next look of the guard. */
static void on_kept_time(void *arg)
{
	struct waiters *w = arg;

	(void)score_deal(w->setup.score);
	changed(w);
}

static void wait_for_kept(struct waiters *w)
{
	uint64_t until_usec = w->first ? score_kept_until(w->setup.score) : 0, now_usec;

	if (until_usec == 0 || (timer_is_set(&w->kept_time) && w->kept_usec == until_usec))
		return;
	timer_clear(&w->kept_time);
	w->kept_usec = until_usec;
	now_usec = now_boottime();
	(void)timer_set(&w->kept_time, w->setup.event, CLOCK_BOOTTIME, until_usec > now_usec ? until_usec - now_usec : 0, 1000,
			on_kept_time, w);
}

/* ---- the limits of patience ---- */

/* Ends the waiters that have waited too long: they are the first of the list. */
static void enforce_limits(struct waiters *w)
{
	uint64_t look_usec = NO_TIMEOUT, now_usec;
	int r = 0;

	while (w->first) {
		r = limit_is_over(w->setup.score, w->setup.settings, w->first->arrival.accepted_usec, &look_usec);
		if (r <= 0)
			break;
		end(w->first, END_RESOURCES, (enum end_cause)r);
	}
	if (!w->first || timer_is_set(&w->limit_time))
		return;
	now_usec = now_boottime();
	if (r < 0)
		look_usec = now_usec + SCORE_GUARD_USEC;
	if (look_usec != NO_TIMEOUT)
		(void)timer_set(&w->limit_time, w->setup.event, CLOCK_BOOTTIME,
				look_usec > now_usec ? look_usec - now_usec : 0, 1000, w->setup.on_change, w->setup.arg);
}

/* ---- all waiters ---- */

int waiters_new(const struct waiters_setup *setup, struct waiters **ret)
{
	struct waiters *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->setup = *setup;
	w->next_fd = -1;
	r = score_wake_fd(setup->score);
	if (r >= 0)
		r = sd_event_add_io(setup->event, &w->wake, r, POLLIN, on_wake, w);
	if (r < 0) {
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct waiters *waiters_free(struct waiters *w)
{
	if (!w)
		return NULL;
	waiters_end(w, END_RESOURCES);
	guard_stop(w);
	sd_event_source_disable_unref(w->wake);
	timer_clear(&w->watch_time);
	timer_clear(&w->limit_time);
	timer_clear(&w->kept_time);
	free(w);
	return NULL;
}

size_t waiters_count(const struct waiters *w)
{
	return w->n + (w->unqueued ? 1 : 0);
}

/* Whether a connection without a ticket is over. If so, it is reported. */
static bool is_over(struct waiters *w, const struct waiter *waiter)
{
	struct departure departure = { .head = waiter->departure.head };
	struct pollfd client = { .fd = waiter->arrival.fd, .events = departure_events(&departure) };
	uint64_t look_usec;
	int r;

	if (poll(&client, 1, 0) > 0 &&
	    departure_check(&departure, client.fd, client.revents, w->setup.settings->abandon_on_eof))
		connection_report_unserved(&waiter->arrival, w->setup.score, END_CLIENT, CAUSE_PLAIN);
	else if ((r = limit_is_over(w->setup.score, w->setup.settings, waiter->arrival.accepted_usec, &look_usec)) > 0)
		connection_report_unserved(&waiter->arrival, w->setup.score, END_RESOURCES, (enum end_cause)r);
	else
		return false;
	return true;
}

bool waiters_owe_ticket(const struct waiters *w)
{
	return w->unqueued != NULL;
}

/* The connection got no ticket: it stays in the backlog, or is kept as unqueued if it was accepted. */
static int admit_failed(struct waiters *w, struct waiter *waiter, int r)
{
	if (waiter->arrival.fd < 0) {
		if (arrival_is_over(waiter->arrival.error))
			r = 1;
		free(waiter);
		return r;
	}
	w->unqueued = waiter;
	if (!is_over(w, waiter))
		return r;
	w->unqueued = NULL;
	(void)close(waiter->arrival.fd);
	free(waiter);
	return 0;
}

int waiters_admit(struct waiters *w, int listening_fd)
{
	struct waiter *waiter = w->unqueued ? w->unqueued : calloc(1, sizeof(*waiter));
	struct score_arrival comes = {
		.policy = w->setup.settings->policy, .clients = w->setup.settings->clients, .accept = arrival_accept,
		.forget_sec = w->setup.settings->forget_sec,
		.per_client = w->setup.settings->per_client, .fair = w->setup.settings->fair,
	};
	int r;

	if (!waiter)
		return -ENOMEM;
	if (!w->unqueued)
		*waiter = (struct waiter){ .all = w, .arrival = {
			.listening_fd = listening_fd, .fd = -1, .is_limited = comes.per_client > 0,
		} };
	w->unqueued = NULL;
	comes.arg = &waiter->arrival;
	comes.is_uncounted = &waiter->arrival.is_uncounted;
	r = score_join(w->setup.score, &comes, &waiter->ticket);
	if (r < 0 || r == 2)
		return admit_failed(w, waiter, r == 2 ? 1 : r);
	waiter->prev = w->last;
	*(w->last ? &w->last->next : &w->first) = waiter;
	w->last = waiter;
	w->n++;
	w->unwatched |= watch(waiter) < 0;
	/* This waiter is younger than the process that the listener watched: the listener is the guard again. */
	if (w->guard_child)
		guard_stop(w);
	return 0;
}

static int take_in(struct waiters *w, const struct arrival *arrival, size_t head, bool shared)
{
	struct waiter *waiter = w->unqueued ? NULL : calloc(1, sizeof(*waiter));

	if (!waiter)
		return w->unqueued ? -EBUSY : -ENOMEM;
	*waiter = (struct waiter){ .all = w, .arrival = *arrival, .departure.head = head, .is_shared = shared };
	w->unqueued = waiter;
	(void)waiters_admit(w, -1); /* without a ticket it stays the list's: see waiters_owe_ticket() */
	return 0;
}

int waiters_take_in(struct waiters *w, const struct arrival *arrival, size_t head)
{
	return take_in(w, arrival, head, false);
}

/* Gives a waiter that has a slot to a relay. 0 or -errno. */
static int serve(struct waiter *waiter, int (*give)(const struct relay_order *order, int fd, void *arg), void *arg)
{
	struct relay_order order = {
		.accepted_usec = waiter->arrival.accepted_usec, .ticket = waiter->ticket, .is_shared = waiter->is_shared,
	};
	int r;

	(void)memcpy(order.client, waiter->arrival.client, sizeof(order.client));
	r = give(&order, waiter->arrival.fd, arg);
	if (r == 0)
		give_away(waiter);
	return r;
}

/* Whether any waiter may have a slot before an older one: clients have a limit, or the farm is fair. */
static bool is_any_next(const struct waiters *w)
{
	return w->setup.settings->per_client || score_is_fair(w->setup.score);
}

/* For such waiters: the scoreboard tells which have a slot. */
static int serve_granted(struct waiters *w, int (*give)(const struct relay_order *order, int fd, void *arg), void *arg)
{
	struct waiter *waiter = w->first;
	uint64_t number = 0;
	int r;

	while ((r = score_next_granted(w->setup.score, number, &number)) == 1) {
		while (waiter && waiter->ticket.number < number)
			waiter = waiter->next;
		if (waiter && waiter->ticket.number == number) {
			struct waiter *next = waiter->next;

			r = serve(waiter, give, arg);
			if (r < 0)
				break;
			waiter = next;
		}
	}
	return r;
}

int waiters_serve(struct waiters *w, int (*give)(const struct relay_order *order, int fd, void *arg), void *arg)
{
	uint64_t times_put_back = score_times_put_back(w->setup.score);

	if (is_any_next(w) && times_put_back == w->times_put_back)
		return serve_granted(w, give, arg);

	for (struct waiter *waiter = w->first, *next; waiter; waiter = next) {
		int r = score_granted(w->setup.score, &waiter->ticket);

		if (r < 0)
			return r;
		/* Behind a waiter without a slot no waiter has a slot, unless damage has mixed up their order. */
		if (r == 0 && !is_any_next(w) && score_times_put_back(w->setup.score) == w->times_put_back)
			return 0;
		next = waiter->next;
		if (r == 0)
			continue;
		r = serve(waiter, give, arg);
		if (r < 0)
			return r;
	}
	w->times_put_back = times_put_back;
	return 0;
}

/* The size of the PROXY header that a connection begins with, if that is whole. If it names a client, client is set to
 * that, and *ret_named. */
static size_t header_size(int fd, char client[static ADDRESS_MAX], bool *ret_named)
{
	struct proxy_pair pair;
	size_t size;

	if (!proxy_is_expected(fd) || proxy_peek(fd, &pair, &size) != PROXY_DONE)
		return 0;
	*ret_named = pair.client.ss_family != AF_UNSPEC;
	if (*ret_named)
		(void)address_format((const struct sockaddr *)&pair.client, pair.client_size, client);
	return size;
}

void waiters_return(struct waiters *w, const struct relay_order *order, int fd)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter)), *before;
	bool named;

	if (!waiter) {
		(void)score_leave(w->setup.score, &order->ticket);
		(void)close(fd);
		return;
	}
	*waiter = (struct waiter){
		.all = w, .ticket = order->ticket, .is_shared = order->is_shared,
		.arrival = { .fd = fd, .accepted_usec = order->accepted_usec },
	};
	(void)memcpy(waiter->arrival.client, order->client, sizeof(waiter->arrival.client));
	waiter->departure.head = header_size(waiter->arrival.fd, waiter->arrival.client, &named);
	/* Waiters of the previous listener come in the order of their tickets. */
	for (before = w->last; before && before->ticket.number > order->ticket.number; before = before->prev)
		;
	waiter->prev = before;
	waiter->next = before ? before->next : w->first;
	*(before ? &before->next : &w->first) = waiter;
	*(waiter->next ? &waiter->next->prev : &w->last) = waiter;
	w->n++;
	w->unwatched |= watch(waiter) < 0;
}

/* ---- from a listener to the next ---- */

void handover_name(const struct handover *handover, char ret[static HANDOVER_NAME_MAX])
{
	(void)snprintf(ret, HANDOVER_NAME_MAX, "waiter.%" PRIu64 ".%" PRIu64, handover->number, handover->accepted_usec);
}

bool handover_parse(const char *name, struct handover *ret)
{
	int end = 0;

	return sscanf(name, "waiter.%" SCNu64 ".%" SCNu64 "%n", &ret->number, &ret->accepted_usec, &end) == 2 &&
	       name[end] == '\0';
}

static int store(const struct arrival *arrival, uint64_t number)
{
	const struct handover handover = { .number = number, .accepted_usec = arrival->accepted_usec };
	char name[HANDOVER_NAME_MAX], text[HANDOVER_NAME_MAX + 32];
	int r;

	handover_name(&handover, name);
	/* Polled by the service manager, a unix socket that its client has closed would be dropped: see departure.h. */
	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	r = sd_pid_notify_with_fds(0, 0, text, &arrival->fd, 1);
	return r == 0 ? -ENOTCONN : r < 0 ? r : 0;
}

int waiters_hand_over(struct waiters *w, size_t room)
{
	size_t stored = 0;
	bool passed = false;
	int r = 0;

	for (struct waiter *waiter = w->first; waiter && r == 0; waiter = waiter->next) {
		r = stored < room ? store(&waiter->arrival, waiter->ticket.number) : -EMFILE;
		stored += r == 0;
	}
	if (w->unqueued && r == 0) {
		r = stored < room ? store(&w->unqueued->arrival, 0) : -EMFILE;
		passed = r == 0;
	}
	/* The service manager must have read the messages before this process, their sender, has ended. */
	if (stored > 0 || passed)
		(void)sd_notify_barrier(0, HAND_OVER_USEC);
	for (; stored > 0; stored--) {
		(void)score_leave(w->setup.score, &w->first->ticket);
		forget(w->first);
	}
	if (passed)
		drop_unqueued(w);
	return r;
}

int waiters_pass_on(const struct arrival *arrival)
{
	return store(arrival, 0);
}

/* A waiter without a ticket comes as if it had just been accepted. */
static int take_over_unqueued(struct waiters *w, const struct handover *handover)
{
	struct arrival arrival = { .listening_fd = -1, .fd = handover->fd, .accepted_usec = handover->accepted_usec };
	bool named = false;
	size_t head;
	int r = w->unqueued ? waiters_admit(w, -1) : 0;

	if (r < 0)
		return r;
	(void)address_peer(handover->fd, arrival.client);
	head = header_size(handover->fd, arrival.client, &named);
	arrival.is_uncounted = proxy_is_expected(handover->fd) && !named;
	return take_in(w, &arrival, head, true);
}

int waiters_take_over(struct waiters *w, const struct handover *handover)
{
	/* The store has the socket, too, for a moment, and so may a stopped relay of the previous listener. */
	struct relay_order order = { .accepted_usec = handover->accepted_usec, .is_shared = true };
	uint32_t per_client = w->setup.settings->per_client;
	bool named = false;
	int r;

	if (handover->number == 0)
		return take_over_unqueued(w, handover);
	(void)address_peer(handover->fd, order.client);
	(void)header_size(handover->fd, order.client, &named);
	if (proxy_is_expected(handover->fd) && !named)
		per_client = 0;
	r = score_rejoin(w->setup.score, handover->number, w->setup.settings->policy, order.client, per_client, &order.ticket);
	if (r == 0)
		waiters_return(w, &order, handover->fd);
	return r;
}

void waiters_look(struct waiters *w)
{
	enforce_limits(w);
	watch_rest(w);
	wait_for_kept(w);
	if ((w->first || w->asked) && !timer_is_set(&w->guard_time))
		guard_start(w, SCORE_GUARD_USEC);
	else if (!w->first && !w->asked)
		guard_stop(w);
}

void waiters_end(struct waiters *w, enum ended_by by)
{
	while (w->first)
		end(w->first, by, CAUSE_PLAIN);
	if (w->unqueued) {
		connection_report_unserved(&w->unqueued->arrival, w->setup.score, by, CAUSE_PLAIN);
		drop_unqueued(w);
	}
}
