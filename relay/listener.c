/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * listener.c: accepts, queues, and forks; it never touches a byte.
 *
 * Every connection that is accepted gets a ticket and becomes a waiter, a
 * descriptor in this process. If a slot was free the ticket has it already;
 * else it comes when somebody gives one back and wakes us. Either way the
 * waiter is then given to a relay, a forked process that takes the slot for
 * itself. Slots come in the order of the tickets, so the waiters that have
 * one are always the first of the list.
 *
 * A relay that is killed tells nobody but its parent, which is here: its slot
 * is free again before anyone else could notice.
 */

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "connect.h"
#include "connection.h"
#include "departure.h"
#include "interrupt.h"
#include "report.h"
#include "timespan.h"

#define ACCEPTS_AT_ONCE 64
#define SPARE_FDS 64          /* descriptors kept for other things than waiters */
#define PAUSE_USEC 250000u    /* before trying again what this machine was too short of */
#define STATUS_USEC USEC_PER_SEC

struct waiter {
	struct listener *listener;
	struct waiter *next, *prev;
	int fd;
	struct score_ticket ticket;
	uint64_t accepted_usec;
	struct departure departure;
	char client[ENDPOINT_MAX];
	sd_event_source *io;      /* watches whether the client leaves */
};

struct relay {
	struct listener *listener;
	struct relay *next, *prev;
	pid_t pid;
	struct score_ticket ticket;
	sd_event_source *child;
};

struct listener {
	struct score *score;
	const struct settings *settings;
	const char *nodes;
	sd_event *event;
	sd_event_source **accepting;
	int *fds;
	size_t n_fds, fd_limit;
	struct waiter *first, *last;   /* in the order of their tickets */
	struct relay *relays;
	size_t n_waiters, n_relays;
	sd_event_source *loader;       /* the process that loads the node list, or NULL */
	sd_event_source *wake, *guard_time, *guard_child, *limit_time, *idle_time, *pause_time, *status_time;
	int next_fd;                   /* pidfd of the process that has the next younger waiter, or -1 */
	int in_hand;                   /* a connection that could not be taken in yet, or -1 */
	bool load_again;               /* SIGHUP came while it did */
	bool owned, stopping, paused, complained;
};

static void listener_turn(struct listener *l);
static void guard_stop(struct listener *l);

/* ---- waiters ---- */

static struct waiter *waiter_free(struct waiter *waiter)
{
	struct listener *l = waiter->listener;

	*(waiter->prev ? &waiter->prev->next : &l->first) = waiter->next;
	*(waiter->next ? &waiter->next->prev : &l->last) = waiter->prev;
	l->n_waiters--;
	/* Before close(2): a relay may have the same socket, and epoll would go on watching that. */
	sd_event_source_disable_unref(waiter->io);
	(void)close(waiter->fd);
	free(waiter);
	return NULL;
}

/* A waiter that will not be served: one line for it, and its place is free. */
static void waiter_end(struct waiter *waiter, enum end_who who)
{
	struct connection connection;

	(void)score_leave(waiter->listener->score, &waiter->ticket); /* -ESTALE: has been ejected */
	connection_init(&connection, waiter->fd, waiter->accepted_usec);
	/* One that was reset has no name any more. */
	(void)memcpy(connection.client, waiter->client, sizeof(connection.client));
	connection.wait_usec = connection.total_usec = now_boottime() - waiter->accepted_usec;
	connection.end_who = who;
	connection.end_phase = PHASE_QUEUE;
	report_connection(&connection);
	(void)waiter_free(waiter);
}

static int on_departure(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct waiter *waiter = arg;
	struct listener *l = waiter->listener;

	/* The bits of epoll and poll that matter here are the same, see epoll_ctl(2). */
	if (departure_check(&waiter->departure, fd, (short)revents, l->settings->abandon_on_eof))
		waiter_end(waiter, END_CLIENT);
	else
		(void)sd_event_source_set_io_events(source, (uint32_t)departure_events(&waiter->departure));
	listener_turn(l);
	return 0;
}

/* ---- relays ---- */

static void relay_free(struct relay *relay)
{
	struct listener *l = relay->listener;

	*(relay->prev ? &relay->prev->next : &l->relays) = relay->next;
	if (relay->next)
		relay->next->prev = relay->prev;
	l->n_relays--;
	sd_event_source_disable_unref(relay->child);
	free(relay);
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *arg)
{
	struct relay *relay = arg;
	struct listener *l = relay->listener;

	(void)source;
	/* If it ended before it took the slot, that is still ours to give back. */
	if (info->si_code != CLD_EXITED || info->si_status != EX_OK)
		(void)score_leave(l->score, &relay->ticket);
	if (info->si_code != CLD_EXITED) {
		report_message(LOG_WARNING, "relay %ld was ended by signal %d; its slot is given back",
			       (long)info->si_pid, info->si_status);
		(void)score_reap(l->score, NULL, NULL); /* what fails here the guard does */
	}
	relay_free(relay);
	listener_turn(l);
	return 0;
}

/* In a child: nothing of the connections, but of mine (or NULL), may live on here. 0 or -errno. */
static int child_begin(struct listener *l, const struct waiter *mine)
{
	sigset_t mask;
	int r;

	for (struct waiter *waiter = l->first; waiter; waiter = waiter->next)
		if (waiter != mine)
			(void)close(waiter->fd);
	for (size_t i = 0; i < l->n_fds; i++)
		(void)close(l->fds[i]);
	if (l->next_fd >= 0)
		(void)close(l->next_fd);
	if (l->in_hand >= 0)
		(void)close(l->in_hand);
	/* Handlers first, and then the mask: a SIGTERM that comes now must find its handler. */
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	r = interrupt_setup();
	(void)signal(SIGINT, SIG_IGN); /* a terminal sends it to all of us; the listener decides */
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	return r < 0 ? r : score_after_fork(l->score);
}

static _Noreturn void relay_main(struct listener *l, struct waiter *mine)
{
	struct score_ticket ticket = mine->ticket;
	struct connection connection;

	if (child_begin(l, mine) < 0)
		_exit(EX_OSERR);
	connection_init(&connection, mine->fd, mine->accepted_usec);
	_exit(connection_serve(&connection, l->score, l->settings, &ticket));
}

/* Gives the waiter, which has a slot, to a relay. 0; -errno: it is still here. */
static int relay_start(struct listener *l, struct waiter *waiter)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	int r;

	if (!relay)
		return -ENOMEM;
	relay->pid = fork();
	if (relay->pid == 0) {
		free(relay);
		relay_main(l, waiter);
	}
	if (relay->pid < 0) {
		r = -errno;
		free(relay); /* cppcheck-suppress doubleFree ; relay_main() does not return */
		return r;
	}
	relay->listener = l;
	relay->ticket = waiter->ticket;
	relay->next = l->relays;
	if (relay->next)
		relay->next->prev = relay;
	l->relays = relay;
	l->n_relays++;
	r = sd_event_add_child(l->event, &relay->child, relay->pid, WEXITED, on_child, relay);
	if (r < 0) {
		/* It works, and is found by the guard if it is killed; only its end is not seen here. */
		report_message(LOG_WARNING, "cannot watch relay %ld: %s", (long)relay->pid, strerror(-r));
		relay_free(relay);
	}
	(void)waiter_free(waiter);
	return 0;
}

/* ---- accepting ---- */

static void admit_in_hand(struct listener *l);

static int on_resume(sd_event_source *source, uint64_t usec, void *arg)
{
	struct listener *l = arg;

	(void)source;
	(void)usec;
	l->paused = false;
	if (l->in_hand >= 0)
		admit_in_hand(l);
	listener_turn(l);
	return 0;
}

/* This machine is short of something: say so once, leave the rest to the kernel's backlog for a while. */
static void take_a_pause(struct listener *l, const char *what, int error)
{
	if (!l->complained)
		report_message(LOG_ERR, "cannot %s: %s; connections wait in the backlog meanwhile", what,
			       score_strerror(error));
	l->complained = l->paused = true;
	l->pause_time = sd_event_source_disable_unref(l->pause_time);
	if (sd_event_add_time_relative(l->event, &l->pause_time, CLOCK_MONOTONIC, PAUSE_USEC, 0, on_resume, l) < 0)
		l->paused = false;
}

static bool has_room(const struct listener *l)
{
	if (l->settings->queue_limit && l->n_waiters >= l->settings->queue_limit)
		return false;
	return l->n_waiters + l->n_relays + SPARE_FDS < l->fd_limit; /* a relay costs a pidfd */
}

/* Takes one connection in. 0, or -errno: *fd is still open then. */
static int admit(struct listener *l, int fd)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	int r;

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){ .listener = l, .fd = fd, .accepted_usec = now_boottime() };
	r = sd_event_add_io(l->event, &waiter->io, fd, (uint32_t)departure_events(&waiter->departure), on_departure, waiter);
	if (r >= 0)
		r = score_join(l->score, l->settings->policy, endpoint_peer(fd, waiter->client), 0, &waiter->ticket);
	if (r < 0) {
		sd_event_source_disable_unref(waiter->io);
		free(waiter);
		return r;
	}
	waiter->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = waiter;
	l->last = waiter;
	l->n_waiters++;
	/* Who we watched is older than this one now, and will watch us: the duty is here again. */
	if (l->guard_child)
		guard_stop(l);
	return 0;
}

/* The connection that was accepted and could not be queued: it is not lost, it is tried again. */
static void admit_in_hand(struct listener *l)
{
	int r = admit(l, l->in_hand);

	if (r < 0) {
		take_a_pause(l, "queue a connection", r);
		return;
	}
	l->in_hand = -1;
	l->complained = false;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct listener *l = arg;
	(void)source;
	(void)revents;
	for (unsigned i = 0; l->in_hand < 0 && i < ACCEPTS_AT_ONCE && has_room(l); i++) {
		int client_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client_fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				take_a_pause(l, "accept", -errno);
			break; /* EAGAIN, or a client that left before it was accepted */
		}
		l->in_hand = client_fd;
		admit_in_hand(l);
	}
	listener_turn(l);
	return 0;
}

/* ---- the guard, and the limits of patience ---- */

static int on_guard_time(sd_event_source *source, uint64_t usec, void *arg);

static int on_guard_child(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)fd;
	(void)revents;
	return on_guard_time(source, 0, arg);
}

static void guard_stop(struct listener *l)
{
	l->guard_time = sd_event_source_disable_unref(l->guard_time);
	l->guard_child = sd_event_source_disable_unref(l->guard_child);
	if (l->next_fd >= 0)
		(void)close(l->next_fd);
	l->next_fd = -1;
}

static void guard_start(struct listener *l)
{
	int r = sd_event_add_time_relative(l->event, &l->guard_time, CLOCK_MONOTONIC, SCORE_GUARD_USEC, 0, on_guard_time, l);

	if (r < 0)
		report_message(LOG_WARNING, "cannot keep the guard of the queue: %s", strerror(-r));
}

static int on_guard_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct listener *l = arg;
	pid_t next_pid;
	int r = 0;

	(void)source;
	(void)usec;
	guard_stop(l);
	if (l->last) {
		r = score_guard(l->score, &l->last->ticket, &next_pid, &l->next_fd);
		if (r < 0 && r != -ESTALE)
			report_message(LOG_ERR, "cannot look after the queue: %s", score_strerror(r));
		if (l->next_fd < 0 ||
		    sd_event_add_io(l->event, &l->guard_child, l->next_fd, POLLIN, on_guard_child, l) < 0)
			guard_start(l);
	}
	listener_turn(l);
	return 0;
}

static int on_limit_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct listener *l = arg;

	(void)source;
	(void)usec;
	l->limit_time = sd_event_source_disable_unref(l->limit_time);
	listener_turn(l);
	return 0;
}

/* Ends waiters whose time is up: they are the first ones. */
static void enforce_limits(struct listener *l)
{
	uint64_t now_usec = now_boottime(), limit_usec;
	struct score_totals totals;

	if (!l->first || (!l->settings->queue_timeout_usec && !l->settings->down_timeout_usec))
		return;
	if (score_totals(l->score, &totals) < 0)
		return;
	limit_usec = totals.nodes_up ? l->settings->queue_timeout_usec : l->settings->down_timeout_usec;
	while (limit_usec && l->first && now_usec - l->first->accepted_usec >= limit_usec)
		waiter_end(l->first, END_RESOURCES);
	if (l->first && !l->limit_time) {
		uint64_t next_usec = SCORE_GUARD_USEC; /* which limit counts may change with the nodes' health */

		if (limit_usec && l->first->accepted_usec + limit_usec - now_usec < next_usec)
			next_usec = l->first->accepted_usec + limit_usec - now_usec;
		(void)sd_event_add_time_relative(l->event, &l->limit_time, CLOCK_MONOTONIC, next_usec, 1000,
						 on_limit_time, l);
	}
}

/* ---- what follows from the state ---- */

/* Starts a relay for every waiter that has a slot. */
static void serve_granted(struct listener *l)
{
	while (l->first) {
		int r = score_granted(l->score, &l->first->ticket);

		if (r == 0)
			return;
		if (r == -ESTALE) {
			waiter_end(l->first, END_ADMIN); /* somebody took its ticket away */
			continue;
		}
		if (r > 0)
			r = relay_start(l, l->first);
		if (r < 0) {
			take_a_pause(l, "start a relay", r);
			return;
		}
		l->complained = false;
	}
}

static int on_idle(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)usec;
	(void)arg;
	return sd_event_exit(sd_event_source_get_event(source), EX_OK);
}

static int on_status(sd_event_source *source, uint64_t usec, void *arg)
{
	struct listener *l = arg;
	struct score_totals totals;

	(void)source;
	(void)usec;
	l->status_time = sd_event_source_disable_unref(l->status_time);
	if (score_totals(l->score, &totals) == 0)
		(void)sd_notifyf(0, "STATUS=%llu busy, %llu free, %llu waiting%s", (unsigned long long)totals.busy,
				 (unsigned long long)totals.free, (unsigned long long)totals.waiting,
				 l->stopping ? "; stopping" : "");
	return 0;
}

/* Called after everything that happened: serves, and sets up what to wait for next. */
static void listener_turn(struct listener *l)
{
	bool open, idle;

	serve_granted(l);
	enforce_limits(l);

	open = !l->stopping && !l->paused && l->in_hand < 0 && has_room(l);
	for (size_t i = 0; i < l->n_fds; i++)
		if (l->accepting[i])
			(void)sd_event_source_set_enabled(l->accepting[i], open ? SD_EVENT_ON : SD_EVENT_OFF);

	if (l->first && !l->guard_time && !l->guard_child)
		guard_start(l);
	else if (!l->first)
		guard_stop(l);

	idle = l->n_waiters + l->n_relays == 0 && l->in_hand < 0 && !l->loader;
	if (idle && l->stopping)
		(void)sd_event_exit(l->event, EX_OK);
	if (!idle)
		l->idle_time = sd_event_source_disable_unref(l->idle_time);
	else if (l->settings->exit_idle && !l->idle_time && !l->stopping)
		(void)sd_event_add_time_relative(l->event, &l->idle_time, CLOCK_MONOTONIC,
						 l->settings->exit_idle_usec, 0, on_idle, l);
	if (!l->status_time && getenv("NOTIFY_SOCKET"))
		(void)sd_event_add_time_relative(l->event, &l->status_time, CLOCK_MONOTONIC, STATUS_USEC, 0, on_status, l);
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct listener *l = arg;

	(void)source;
	(void)fd;
	(void)revents;
	(void)score_wake_clear(l->score);
	/* Perhaps whom we watch lives on and waits no more: look again soon. */
	if (l->guard_child)
		guard_stop(l);
	listener_turn(l);
	return 0;
}

/* ---- signals ---- */

/* What is in the backlog of a socket that ends with us must be taken in first; systemd keeps its sockets. */
static void stop_accepting(struct listener *l)
{
	for (size_t i = 0; i < l->n_fds; i++) {
		int fd;

		while (l->owned && l->stopping && l->in_hand < 0 && has_room(l) &&
		       (fd = accept4(l->fds[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
			l->in_hand = fd;
			admit_in_hand(l);
		}
		l->accepting[i] = sd_event_source_disable_unref(l->accepting[i]);
		(void)close(l->fds[i]);
	}
	l->n_fds = 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct listener *l = arg;

	(void)source;
	(void)info;
	if (!l->stopping) {
		l->stopping = true;
		(void)sd_notify(0, "STOPPING=1");
		report_message(LOG_INFO, "stopping: %zu connections and %zu waiting are served to their end first",
			       l->n_relays, l->n_waiters);
		stop_accepting(l);
	} else {
		report_message(LOG_NOTICE, "stopping at once: ending %zu connections, %zu waiting",
			       l->n_relays, l->n_waiters);
		while (l->first)
			waiter_end(l->first, END_ADMIN);
		if (l->in_hand >= 0)
			(void)close(l->in_hand);
		l->in_hand = -1;
		for (struct relay *relay = l->relays; relay; relay = relay->next)
			(void)kill(relay->pid, SIGTERM);
	}
	listener_turn(l);
	return 0;
}

static int load_nodes(struct listener *l)
{
	struct score_load_result result = { 0 };
	struct nodelist list;
	int r = nodelist_read(l->nodes, &list);

	for (size_t i = 0; i < list.n_errors; i++)
		report_message(LOG_ERR, "%s", list.errors[i]);
	if (r == 0 && list.n_errors == 0)
		r = score_load(l->score, &list, &result);
	if (r < 0)
		report_message(LOG_ERR, "%s: %s; the nodes stay as they were", l->nodes, score_strerror(r));
	else if (list.n_errors > 0)
		report_message(LOG_ERR, "%s: %zu errors; the nodes stay as they were", l->nodes, list.n_errors);
	else
		report_message(LOG_INFO, "%s: %u added, %u changed, %u draining, %u removed, %u kept", l->nodes,
			       result.added, result.changed, result.draining, result.removed, result.kept);
	r = r < 0 || list.n_errors > 0 ? EX_CONFIG : EX_OK;
	nodelist_clear(&list);
	return r;
}

static void loader_start(struct listener *l);

static int on_loaded(sd_event_source *source, const siginfo_t *info, void *arg)
{
	struct listener *l = arg;

	(void)source;
	(void)info;
	l->loader = sd_event_source_disable_unref(l->loader);
	(void)sd_notify(0, "READY=1");
	if (l->load_again)
		loader_start(l);
	listener_turn(l);
	return 0;
}

/* A load resolves names, which takes its time: a process of its own does it, and this one goes on serving. */
static void loader_start(struct listener *l)
{
	pid_t pid;
	int r;

	l->load_again = false;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now_monotonic());
	pid = fork();
	if (pid == 0)
		_exit(child_begin(l, NULL) < 0 ? EX_OSERR : load_nodes(l));
	r = pid < 0 ? -errno : sd_event_add_child(l->event, &l->loader, pid, WEXITED, on_loaded, l);
	if (r < 0) {
		report_message(LOG_ERR, "cannot load %s: %s", l->nodes, strerror(-r));
		(void)sd_notify(0, "READY=1");
	}
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct listener *l = arg;

	(void)source;
	(void)info;
	if (!l->nodes)
		report_message(LOG_NOTICE, "SIGHUP: the nodes came from the command line; there is no list to load");
	else if (l->loader)
		l->load_again = true; /* the list may have changed since it was read */
	else
		loader_start(l);
	return 0;
}

static int setup(struct listener *l)
{
	int r, fd;

	r = sd_event_new(&l->event);
	if (r >= 0)
		r = sd_event_add_signal(l->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, on_terminate, l);
	if (r >= 0)
		r = sd_event_add_signal(l->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, on_terminate, l);
	if (r >= 0)
		r = sd_event_add_signal(l->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_reload, l);
	if (r < 0)
		return r;
	fd = score_wake_fd(l->score);
	if (fd < 0)
		return fd;
	r = sd_event_add_io(l->event, &l->wake, fd, POLLIN, on_wake, l);
	for (size_t i = 0; r >= 0 && i < l->n_fds; i++)
		socket_prepare(l->fds[i]); /* what is accepted inherits it: those who wait, too */
	for (size_t i = 0; r >= 0 && i < l->n_fds; i++)
		r = sd_event_add_io(l->event, &l->accepting[i], l->fds[i], POLLIN, on_accept, l);
	return r;
}

int listener_run(const int *fds, size_t n_fds, bool owned, struct score *score, const struct settings *settings,
		 const char *nodes)
{
	struct listener l = {
		.score = score, .settings = settings, .nodes = nodes, .n_fds = n_fds, .next_fd = -1, .in_hand = -1,
		.owned = owned,
		.fd_limit = (size_t)sysconf(_SC_OPEN_MAX),
	};
	sigset_t child;
	int r = -ENOMEM;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL); /* sd-event wants it so */

	l.accepting = calloc(n_fds + 1, sizeof(sd_event_source *));
	l.fds = calloc(n_fds + 1, sizeof(int));
	if (l.accepting && l.fds) {
		(void)memcpy(l.fds, fds, n_fds * sizeof(int));
		r = setup(&l);
	}
	if (r >= 0) {
		(void)sd_notify(0, "READY=1");
		listener_turn(&l);
		r = sd_event_loop(l.event);
	}
	if (r < 0) {
		report_message(LOG_ERR, "cannot listen on: %s", strerror(-r));
		r = EX_OSERR;
	}
	while (l.first)
		waiter_end(l.first, END_RESOURCES);
	while (l.relays)
		relay_free(l.relays);
	stop_accepting(&l);
	guard_stop(&l);
	sd_event_source_disable_unref(l.loader);
	sd_event_source_disable_unref(l.wake);
	sd_event_source_disable_unref(l.limit_time);
	sd_event_source_disable_unref(l.idle_time);
	sd_event_source_disable_unref(l.pause_time);
	sd_event_source_disable_unref(l.status_time);
	(void)sd_event_unref(l.event);
	free(l.accepting);
	free(l.fds);
	return r;
}
