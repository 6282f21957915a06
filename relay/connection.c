/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * connection.c: claim, wait, connect, forward, release. The connection keeps
 * its ticket's number through all of it: when a node fails the connection, the
 * connection goes back to its old place in the queue.
 *
 * A single function gives the slot back, after the node's machine has seen the
 * connection end, so that the node never sees the next connection before that.
 */

#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <syslog.h>
#include <sysexits.h>
#include <unistd.h>

#include "connect.h"
#include "delivery.h"
#include "departure.h"
#include "forward.h"
#include "sigterm.h"
#include "limit.h"
#include "wait.h"
#include "proxy.h"
#include "report.h"
#include "sleep.h"
#include "socket.h"
#include "system/timespan.h"

#define NEVER UINT64_MAX
#define SHORTAGE_PAUSE_USEC 250000u
#define SILENT_USEC USEC_PER_SEC   /* a node that ends a connection sooner, without a byte, has not answered it */
#define SLOW_USEC USEC_PER_SEC     /* a client that waited longer for the connect left because of the node */

/* Where a connection stands; connection_serve() goes from stage to stage. */
enum stage {
	STAGE_WAIT,     /* in the queue, ticket is valid */
	STAGE_CONNECT,  /* slot and target are valid */
	STAGE_OVER,
};

struct life {
	struct connection *connection;
	struct score *score;
	const struct settings *settings;
	struct score_ticket ticket;
	struct score_slot slot;
	struct score_target target;
	int node_fd;
	int status;
	struct opening opening;     /* what the client has said before a node was reached */
	struct departure departure; /* of the client, while this machine is short of something */
	struct proxy_pair proxy;    /* the addresses in another proxy's header */
	bool named;                 /* the PROXY header has been read, or none is expected */
	bool complained;
	bool silent;        /* the node ended the connection at once, and the client did not cause that */
};

void connection_init(struct connection *connection, int fd, uint64_t accepted_usec, const char *client)
{
	*connection = (struct connection){
		.fd = fd, .accepted_usec = accepted_usec,
		.record = {
			.wait_usec = NEVER, .connect_usec = NEVER, .total_usec = NEVER,
			.ended_by = END_CLEAN, .end_phase = PHASE_DONE,
		},
	};
	if (client)
		(void)memccpy(connection->record.client, client, '\0', sizeof(connection->record.client) - 1);
	else
		(void)address_peer(fd, connection->record.client);
}

void connection_report_unserved(const struct arrival *arrival, struct score *score, enum ended_by by, enum end_cause cause)
{
	struct connection connection;

	connection_init(&connection, arrival->fd, arrival->accepted_usec, arrival->client);
	connection.record.wait_usec = connection.record.total_usec = now_boottime() - arrival->accepted_usec;
	connection.record.ended_by = by;
	connection.record.end_phase = PHASE_QUEUE;
	connection.record.end_cause = cause;
	report_connection(&connection.record, score_verbosity(score) >= SCORE_VERBOSITY_MAX);
}

static void note(const struct life *life)
{
	under_way_set(life->connection->note, &life->connection->record, life->connection->accepted_usec);
}

static enum stage end(struct life *life, enum ended_by by, enum end_phase phase, int status)
{
	life->connection->record.ended_by = by;
	life->connection->record.end_phase = phase;
	life->status = status;
	return STAGE_OVER;
}

static enum stage end_because(struct life *life, enum ended_by by, enum end_phase phase, int status, enum end_cause cause)
{
	life->connection->record.end_cause = cause;
	return end(life, by, phase, status);
}

static enum stage end_by_limit(struct life *life, enum end_cause cause)
{
	return end_because(life, END_RESOURCES, PHASE_QUEUE, EX_UNAVAILABLE, cause);
}

static enum stage end_by_scoreboard(struct life *life, int error, enum end_phase phase)
{
	if (error == -EINTR) /* SIGTERM ended the wait for the lock */
		return end(life, END_ADMIN, phase, EX_OK);
	report_message(LOG_ERR, "the scoreboard failed %s: %s", life->connection->record.client, score_strerror(error));
	return end(life, END_RESOURCES, phase, error == -EUCLEAN || error == -EBADMSG ? EX_CONFIG : EX_OSERR);
}

/* As score_is_shortage(); or this machine is short of what a socket needs. */
static bool is_shortage(int error)
{
	return score_is_shortage(error) || error == -ENOBUFS || error == -EAGAIN || error == -EADDRNOTAVAIL;
}

/* The limit that the client's waiting for a slot has reached; 0: none, and *ret_look_usec says when to ask again. */
static int limit_reached(const struct life *life, enum end_phase phase, uint64_t *ret_look_usec)
{
	*ret_look_usec = NO_TIMEOUT;
	return phase == PHASE_QUEUE ? limit_is_over(life->score, life->settings, life->connection->accepted_usec,
						    ret_look_usec) : 0;
}

/*
 * This machine is short of something: says so the first time, and waits a while.
 * false: the life is over, as the client has left, or has waited long enough, or
 * SIGTERM came.
 */
static bool sit_out(struct life *life, const char *what, int error, enum end_phase phase)
{
	uint64_t end_usec = now_boottime() + SHORTAGE_PAUSE_USEC, look_usec, until_usec, now_usec;
	struct pollfd client;
	int r;

	if (!life->complained)
		report_message(LOG_ERR, "cannot %s for %s: %s; trying again until it can be done", what,
			       life->connection->record.client, score_strerror(error));
	life->complained = true;
	life->departure.spoken = life->opening.held > 0;
	for (;;) {
		r = limit_reached(life, phase, &look_usec);
		if (r > 0) {
			(void)end_by_limit(life, (enum end_cause)r);
			return false;
		}
		until_usec = look_usec < end_usec ? look_usec : end_usec;
		now_usec = now_boottime();
		client = (struct pollfd){ .fd = life->departure.hung_up ? -1 : life->connection->fd,
					  .events = departure_events(&life->departure) };
		r = sleep_poll(&client, 1, until_usec > now_usec ? until_usec - now_usec : 0);
		if (r < 0) {
			(void)end(life, r == -EINTR ? END_ADMIN : END_RESOURCES, phase, EX_OK);
			return false;
		}
		if (departure_check(&life->departure, client.fd, client.revents, life->settings->abandon_on_eof)) {
			(void)end(life, END_CLIENT, phase, EX_OK);
			return false;
		}
		if (now_boottime() >= end_usec)
			return true;
	}
}

/* The stage that follows from the result of score_claim() or score_failed(). */
static enum stage next_stage(struct life *life, int r, enum end_phase phase)
{
	if (r == 0)
		return STAGE_CONNECT;
	if (r == 1)
		return STAGE_WAIT;
	if (r == -E2BIG)
		return end_by_limit(life, CAUSE_QUEUE_LIMIT);
	return end_by_scoreboard(life, r, phase);
}

/* How many slots the client may have. Another proxy's own connection, or that of a client that it does not name, does
 * not count. */
static uint32_t per_client(const struct life *life)
{
	bool is_proxy = life->settings->per_client && !life->proxy.client.ss_family && proxy_is_expected(life->connection->fd);

	return is_proxy ? 0 : life->settings->per_client;
}

static enum stage stage_claim(struct life *life)
{
	const struct score_arrival arrival = {
		.policy = life->settings->policy, .client = life->connection->record.client,
		.queue_limit = life->settings->queue_limit, .per_client = per_client(life),
		.clients = life->settings->clients, .forget_sec = life->settings->forget_sec, .fair = life->settings->fair,
	};

	for (;;) {
		int r = score_claim(life->score, &arrival, &life->slot, &life->target, &life->ticket);

		if (!is_shortage(r))
			return next_stage(life, r, PHASE_QUEUE);
		if (!sit_out(life, "queue", r, PHASE_QUEUE))
			return STAGE_OVER;
	}
}

static enum stage stage_wait(struct life *life)
{
	struct connection *connection = life->connection;
	enum wait_outcome outcome;
	bool over = false;
	int error;

	do {
		error = score_take(life->score, &life->ticket, &life->slot, &life->target);
		if (error == 0)
			return STAGE_CONNECT;
		outcome = error < 0 ? WAIT_FAILED :
			  wait_for_slot(life->score, life->settings, &life->ticket, connection->fd,
					life->opening.held > 0, connection->accepted_usec, &error);
		/* A ticket that is not in the queue any more needs room to come back. */
		if (outcome == WAIT_FAILED && is_shortage(error)) {
			over = !sit_out(life, "queue", error, PHASE_QUEUE);
			outcome = WAIT_GRANTED;
		}
	} while (outcome == WAIT_GRANTED && !over);
	(void)score_leave(life->score, &life->ticket); /* fails only if the ticket has left already */
	if (over)
		return STAGE_OVER;
	switch (outcome) {
	case WAIT_CLIENT_GONE:
		return end(life, END_CLIENT, PHASE_QUEUE, EX_OK);
	case WAIT_TIMED_OUT:
		return end_by_limit(life, (enum end_cause)error);
	case WAIT_INTERRUPTED:
		return end(life, END_ADMIN, PHASE_QUEUE, EX_OK);
	default:
		return end_by_scoreboard(life, error, PHASE_QUEUE);
	}
}

/* A node that is on trial has answered. */
static void pass_trial(struct life *life)
{
	struct score_edge edge = { 0 };

	if (score_answered(life->score, &life->slot, &edge) < 0)
		return; /* then the next trial tells */
	life->slot.trial = false;
	report_node(life->target.name, &edge);
}

static void show_progress(const struct forward_counts *counts, void *arg)
{
	struct life *life = arg;

	if (life->slot.trial && counts->out > 0)
		pass_trial(life);
	under_way_count(life->connection->note, counts->in, counts->out);
	(void)score_progress(life->score, &life->slot, counts->in, counts->out); /* only for display */
}

static void spare_memory(void *arg)
{
	const struct life *life = arg;

	score_spare(life->score);
}

/* Which PROXY header the node is sent before what the client says. */
static enum proxy_version head_version(const struct life *life)
{
	return life->target.proxy ? life->target.proxy : life->settings->proxy;
}

static size_t make_head(const struct life *life, unsigned char head[static PROXY_HEADER_MAX])
{
	struct sockaddr_storage peer = { 0 }, local = { 0 };
	socklen_t peer_size = sizeof(peer), local_size = sizeof(local);
	enum proxy_version version = head_version(life);

	if (version == PROXY_OFF)
		return 0;
	if (life->proxy.client.ss_family) {
		peer = life->proxy.client;
		local = life->proxy.gate;
	} else if (getpeername(life->connection->fd, (struct sockaddr *)&peer, &peer_size) < 0 ||
	    getsockname(life->connection->fd, (struct sockaddr *)&local, &local_size) < 0)
		peer.ss_family = local.ss_family = AF_UNSPEC;
	return proxy_header_write(version, (const struct sockaddr *)&peer, (const struct sockaddr *)&local,
				  life->connection->record.id, head);
}

static bool is_shared(const struct connection *connection)
{
	return connection->is_shared && connection->is_shared(connection->arg);
}

static void connection_close(struct connection *connection)
{
	if (connection->fd < 0)
		return;
	if (is_shared(connection))
		socket_end_shared(connection->fd, connection->is_clean);
	(void)close(connection->fd);
	connection->fd = -1;
}

/* The client loses nothing by close(2) from here on. */
static void end_clean(struct connection *connection)
{
	socket_end_clean(connection->fd);
	connection->is_clean = true;
}

static void close_node(struct life *life)
{
	(void)close(life->node_fd);
	life->node_fd = -1;
}

/* Closes both sides of a connection that has ended on both: in one call, where the descriptors follow each other, as those
 * of a relay do. The client loses nothing. */
static void close_both(struct life *life)
{
	int client_fd = life->connection->fd;

	end_clean(life->connection); /* before this call close(2) would have been a reset */
	if (!is_shared(life->connection) && life->node_fd == client_fd + 1 &&
	    close_range((unsigned)client_fd, (unsigned)life->node_fd, 0) == 0) {
		life->connection->fd = life->node_fd = -1;
		return;
	}
	connection_close(life->connection);
	close_node(life);
}

/* Breaks the connection off: the client is told first; the slot is free once the node's machine knows of the end. */
static void abort_node(struct life *life)
{
	connection_close(life->connection);
	delivery_abort(life->node_fd);
	life->node_fd = -1;
}

/*
 * Both sides have ended. A client that ended first may wait for the node's end, and
 * is told at once. If the node ended first the client has been told, and the
 * descriptors stay open until the slot is given back: a waiter may wait for the slot.
 * A node that does not take the rest counts as idle, like a connection on which
 * nothing moves.
 */
static void end_both(struct life *life, const struct forward_counts *counts)
{
	struct connection *connection = life->connection;
	int r, missing;

	if (counts->confirmed || delivery_begin(life->node_fd)) {
		(void)end(life, END_CLEAN, PHASE_DONE, EX_OK);
		if (!counts->node_first)
			close_both(life);
		return;
	}
	end_clean(connection);
	connection_close(connection); /* the client does not wait for the node's machine */
	r = delivery_end(life->node_fd, life->settings->idle_timeout_usec);
	if (r == 0) {
		(void)end(life, END_CLEAN, PHASE_DONE, EX_OK);
		close_node(life);
		return;
	}
	missing = socket_unconfirmed(life->node_fd) - 1; /* the end */
	if (missing > 0)
		connection->record.in -= (uint64_t)missing < connection->record.in ? (uint64_t)missing : connection->record.in;
	if (r == -ETIMEDOUT) {
		(void)end_because(life, END_NODE, PHASE_DATA, EX_OK, CAUSE_VANISHED);
		close_node(life);
		return;
	}
	/* -EINTR; -ETIME, or this process cannot wait */
	(void)end_because(life, r == -EINTR ? END_ADMIN : END_RESOURCES, PHASE_DATA, EX_OK,
			  r == -ETIME ? CAUSE_IDLE_TIMEOUT : CAUSE_PLAIN);
	abort_node(life);
}

static void stage_data(struct life *life)
{
	struct connection *connection = life->connection;
	unsigned char head[PROXY_HEADER_MAX];
	const struct forward_calls calls = { .progress = show_progress, .settled = spare_memory, .arg = life };
	struct forward_counts counts;
	enum forward_outcome outcome;
	int error = 0;

	outcome = forward(connection->fd, life->node_fd, &life->opening, head, make_head(life, head), life->settings->idle_timeout_usec,
			  &calls, &counts, &error);
	connection->record.in = counts.in;
	connection->record.out = counts.out;
	switch (outcome) {
	case FORWARD_DONE:
		end_both(life, &counts);
		break;
	case FORWARD_CLIENT_RESET:
		(void)end(life, END_CLIENT, PHASE_DATA, EX_OK);
		abort_node(life);
		break;
	case FORWARD_CLIENT_VANISHED:
		(void)end_because(life, END_CLIENT, PHASE_DATA, EX_OK, CAUSE_VANISHED);
		abort_node(life);
		break;
	case FORWARD_NODE_RESET:
		(void)end(life, END_NODE, PHASE_DATA, EX_OK);
		abort_node(life);
		break;
	case FORWARD_NODE_VANISHED:
		(void)end_because(life, END_NODE, PHASE_DATA, EX_OK, CAUSE_VANISHED);
		close_node(life); /* the node's machine would answer nothing more */
		break;
	case FORWARD_INTERRUPTED:
		(void)end(life, END_ADMIN, PHASE_DATA, EX_OK);
		abort_node(life);
		break;
	case FORWARD_IDLE:
		(void)end_because(life, END_RESOURCES, PHASE_DATA, EX_OK, CAUSE_IDLE_TIMEOUT);
		abort_node(life);
		break;
	case FORWARD_FAILED:
		report_message(LOG_ERR, "cannot forward for %s: %s", connection->record.client, strerror(error));
		(void)end(life, END_RESOURCES, PHASE_DATA, EX_OSERR);
		abort_node(life);
		break;
	}
	life->silent = counts.node_first && counts.out == 0 && counts.node_usec < SILENT_USEC;
}

static void complain_release(const struct life *life, int error)
{
	/* After an upgrade of the scoreboard by a later version, the slot is free when this relay has ended. */
	if (error >= 0 || error == -ESTALE || error == -EPROTO)
		return;
	report_message(LOG_ERR, "cannot give slot %u of %s back: %s", life->slot.slot, life->target.name,
		       score_strerror(error));
	life->connection->is_slot_left = true;
}

/* The slot goes back, whatever the ending; the node's machine has seen the connection end by now. */
static enum stage release(struct life *life, bool served)
{
	int r;

	if (served && life->slot.trial && life->connection->record.out > 0)
		pass_trial(life);
	r = score_release(life->score, &life->slot, life->connection->record.in, life->connection->record.out, served);
	complain_release(life, r);
	return STAGE_OVER;
}

/* The same for a node that failed the connection after all: the node is doubted. */
static enum stage release_doubted(struct life *life, enum node_reason reason)
{
	struct score_edge edge = { 0 };
	int r;

	r = score_doubted(life->score, &life->slot, life->connection->record.in, reason, life->settings->retry_after_usec,
			  &edge);
	report_node(life->target.name, &edge);
	complain_release(life, r);
	return STAGE_OVER;
}

/* The connection does not go back to the queue: its life is over, and the slot of the node that failed goes back. */
static enum stage give_back(struct life *life, const struct score_slot *ours)
{
	life->slot = *ours;
	return release(life, false);
}

static enum stage connect_failed(struct life *life, enum node_reason reason)
{
	const struct score_arrival again = {
		.policy = life->settings->policy, .client = life->connection->record.client, .per_client = per_client(life),
	};
	const struct score_slot ours = life->slot;
	char failed[NODE_NAME_MAX + 1];
	struct score_edge edge = { 0 };
	int r;

	(void)memcpy(failed, life->target.name, sizeof(failed));
	life->connection->record.failed_nodes++;
	life->connection->record.node[0] = '\0'; /* not reached */
	note(life);
	for (;;) {
		r = score_failed(life->score, &ours, reason, life->settings->retry_after_usec, &again, &edge, &life->slot,
				 &life->target, &life->ticket);
		if (!is_shortage(r))
			break;
		if (!sit_out(life, "queue", r, PHASE_QUEUE))
			return give_back(life, &ours);
	}
	if (r < 0 && r != -ESTALE) {
		(void)next_stage(life, r, PHASE_CONNECT);
		return give_back(life, &ours);
	}
	report_node(failed, &edge);
	if (r == -ESTALE)
		return stage_claim(life); /* another process took our slot: begins anew */
	return next_stage(life, r, PHASE_CONNECT);
}

/* The node was reached, but not at its first address: tells the other processes. */
static void note_reached(struct life *life, const struct connect_result *result)
{
	const struct score_target *target = &life->target;
	char reached[ADDRESS_MAX], unreached[ADDRESS_MAX];

	if (score_reached(life->score, &life->slot, target, result->reached, result->unreached) != 1)
		return;
	(void)address_format(&target->addresses[result->reached].sa, target->addresses[result->reached].size, reached);
	for (unsigned i = 0; i < target->n_addresses; i++)
		if (result->unreached >> i & 1)
			report_message(LOG_WARNING, "%s: %s cannot be reached; %s can, and is tried first from now on", target->name,
				       address_format(&target->addresses[i].sa, target->addresses[i].size, unreached), reached);
}

/* Takes the client's name from another proxy's header, if such a header is expected. true: the life goes on; false: it
 * is over. */
static bool take_name(struct life *life)
{
	struct connection *connection = life->connection;

	life->named = true;
	if (!proxy_is_expected(connection->fd))
		return true;
	switch (proxy_read(connection->fd, &life->proxy, &life->opening.before)) {
	case PROXY_DONE:
		if (life->proxy.client.ss_family)
			(void)address_format((const struct sockaddr *)&life->proxy.client, life->proxy.client_size,
					     connection->record.client);
		return true;
	case PROXY_NONE:
		(void)end_because(life, END_CLIENT, PHASE_QUEUE, EX_OK, CAUSE_BAD_HEADER);
		return false;
	case PROXY_TIMED_OUT:
		(void)end_because(life, END_CLIENT, PHASE_QUEUE, EX_OK, CAUSE_NO_HEADER);
		return false;
	case PROXY_CLIENT_GONE:
		(void)end(life, END_CLIENT, PHASE_QUEUE, EX_OK);
		return false;
	case PROXY_INTERRUPTED:
		(void)end(life, END_ADMIN, PHASE_QUEUE, EX_OK);
		return false;
	case PROXY_INCOMPLETE:
		break;
	}
	return false;
}

/* The same where the slot was taken before the header with the client's name came. The client may turn out to have all
 * the slots that it may have: then the connection gives the slot back and claims again. */
static enum stage take_name_with_slot(struct life *life)
{
	if (!take_name(life)) {
		(void)release(life, false);
		return STAGE_OVER;
	}
	if (!life->proxy.client.ss_family)
		return STAGE_CONNECT;
	(void)score_rename(life->score, &life->slot, life->connection->record.client);
	if (!life->settings->per_client || score_is_over(life->score, &life->slot, life->settings->per_client) != 1)
		return STAGE_CONNECT;
	complain_release(life, score_unclaim(life->score, &life->slot, false));
	return stage_claim(life);
}

static enum stage stage_connect(struct life *life)
{
	struct connection *connection = life->connection;
	uint64_t start_usec;
	enum connect_outcome outcome;
	struct connect_client client;
	struct connect_result result;
	struct score_edge edge = { 0 };

	if (!life->named) {
		enum stage stage = take_name_with_slot(life);

		if (stage != STAGE_CONNECT)
			return stage;
	}
	start_usec = now_boottime();
	connection->record.wait_usec = start_usec - connection->accepted_usec;
	connection->record.slot = life->slot.slot;
	connection->record.ticket = life->slot.ticket;
	report_make_id(life->slot.ticket, connection->accepted_usec, connection->record.id);
	(void)memcpy(connection->record.node, life->target.name, sizeof(connection->record.node));
	note(life);
	if (life->settings->verbose || score_verbosity(life->score) >= SCORE_VERBOSITY_MORE)
		report_message(LOG_INFO, "%s takes slot %u of %s%s", connection->record.client, life->slot.slot,
			       life->target.name, life->slot.trial ? ", which was down" : "");

	client = (struct connect_client){
		.fd = connection->fd, .opening = &life->opening, .may_offer = head_version(life) == PROXY_OFF,
	};
	for (;;) {
		outcome = connect_node(&life->target, life->settings->connect_timeout_usec, &client, &result);
		if (outcome != CONNECT_NO_RESOURCES || !is_shortage(-errno))
			break;
		if (!sit_out(life, "connect", -errno, PHASE_CONNECT))
			return release(life, false);
	}

	life->node_fd = result.fd;
	if (result.fd >= 0 && (result.reached > 0 || result.unreached))
		note_reached(life, &result);

	switch (outcome) {
	case CONNECT_DONE:
		break;
	case CONNECT_RESET: /* as if it had done so a moment later */
		connection->record.connect_usec = now_boottime() - start_usec;
		connection->record.out = forward_last(connection->fd, life->node_fd);
		(void)end(life, END_NODE, PHASE_DATA, EX_OK);
		close_node(life);
		return connection->record.out > 0 ? release(life, true) : release_doubted(life, REASON_SILENT);
	case CONNECT_FAILED:
		return connect_failed(life, result.reason);
	case CONNECT_CLIENT_GONE:
		(void)end(life, END_CLIENT, PHASE_CONNECT, EX_OK);
		return now_boottime() - start_usec > SLOW_USEC ? release_doubted(life, REASON_TIMED_OUT)
							       : release(life, false);
	case CONNECT_INTERRUPTED:
		(void)end(life, END_ADMIN, PHASE_CONNECT, EX_OK);
		return release(life, false);
	case CONNECT_NO_RESOURCES:
		report_message(LOG_ERR, "cannot connect to %s: %s", life->target.name, strerror(errno));
		(void)end(life, END_RESOURCES, PHASE_CONNECT, EX_OSERR);
		return release(life, false);
	}
	connection->record.connect_usec = now_boottime() - start_usec;
	(void)address_format(&result.own.sa, result.own.size, connection->record.node_local);
	note(life);
	if (life->slot.trial && score_connected(life->score, &life->slot, &edge) == 0) {
		life->slot.trial = false;
		report_node(life->target.name, &edge);
	}

	stage_data(life);
	return life->silent ? release_doubted(life, REASON_SILENT) : release(life, true);
}

static enum stage stage_start(struct life *life, const struct connection_start *start)
{
	switch (start->has) {
	case HAS_TICKET:
		life->ticket = start->ticket;
		return STAGE_WAIT;
	case HAS_SLOT:
		life->slot = start->slot;
		life->target = start->target;
		return STAGE_CONNECT;
	case HAS_NOTHING:
		break;
	}
	return take_name(life) ? stage_claim(life) : STAGE_OVER;
}

int connection_serve(struct connection *connection, struct score *score, const struct settings *settings,
		     const struct connection_start *start)
{
	struct life life = { .connection = connection, .score = score, .settings = settings, .node_fd = -1 };
	enum stage stage;

	sleep_for(score);
	note(&life);
	stage = stage_start(&life, start);
	while (stage != STAGE_OVER)
		stage = stage == STAGE_WAIT ? stage_wait(&life) : stage_connect(&life);

	opening_clear(&life.opening);
	if (life.node_fd >= 0)
		close_both(&life);
	connection_close(connection);
	connection->record.total_usec = now_boottime() - connection->accepted_usec;
	if (connection->record.end_phase == PHASE_QUEUE)
		connection->record.wait_usec = connection->record.total_usec;
	report_connection(&connection->record, score_verbosity(score) >= SCORE_VERBOSITY_MAX);
	under_way_end(connection->note);
	return life.status;
}
