/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-client: a load client for tests. It drives many connections at once and verifies every byte.
 *
 * A connection is a struct that goes from connecting to running to holding. It ends only in conn_end(), with an enum
 * value that says how. What it sends and what it must receive are functions of an offset (peer.h), so neither is
 * stored, and thousands of connections need almost no memory. After bytes have moved, conn_arm() computes from the
 * connection's state which events it waits for. A connection that waits for none is taken out of epoll: otherwise
 * epoll would report its hang-up for ever.
 *
 * One thread, non-blocking. An ended connection is freed at the end of the turn, as events already fetched may point
 * to it.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum expect {
	EXPECT_ECHO,
	EXPECT_SUM,
	EXPECT_LINE,
	EXPECT_PATTERN,
	EXPECT_ANY,
	EXPECT_NONE,
};

static const char *const expect_names[] = {
	[EXPECT_ECHO] = "echo",       [EXPECT_SUM] = "sum", [EXPECT_LINE] = "line",
	[EXPECT_PATTERN] = "pattern", [EXPECT_ANY] = "any", [EXPECT_NONE] = "none",
};

#define N_EXPECTS (sizeof(expect_names) / sizeof(expect_names[0]))

/* How a connection can end. */
enum result {
	RESULT_OK,
	RESULT_REFUSED,
	RESULT_RESET,
	RESULT_EARLY,
	RESULT_MISMATCH,
	RESULT_TIMEOUT,
	RESULT_ERROR,
	N_RESULTS,
};

static const char *const result_names[N_RESULTS] = {
	[RESULT_OK] = "ok",
	[RESULT_REFUSED] = "refused",
	[RESULT_RESET] = "reset",
	[RESULT_EARLY] = "closed-early",
	[RESULT_MISMATCH] = "mismatch",
	[RESULT_TIMEOUT] = "timeout",
	[RESULT_ERROR] = "error",
};

enum {
	OPTION_SEND = 256,
	OPTION_LINE,
	OPTION_HALF_CLOSE,
	OPTION_EXPECT,
	OPTION_ABORT_AFTER,
	OPTION_CLOSE_AFTER,
	OPTION_HOLD,
	OPTION_RST,
	OPTION_INTERVAL,
	OPTION_START_ORDER,
	OPTION_GAP_USEC,
	OPTION_TIMEOUT,
	OPTION_PRINT,
	OPTION_AHEAD,
	OPTION_BYTES_SLOW,
	OPTION_SEED,
	OPTION_SOURCE
};

static uint64_t arg_number = 1;
static uint64_t arg_concurrent; /* 0 is all */
static uint64_t arg_send;
static uint64_t arg_ahead = UINT64_MAX;
static char *arg_line; /* with its \n, or NULL */
static size_t arg_line_size;
static bool arg_half_close;
static enum expect arg_expect = EXPECT_ANY;
static uint64_t arg_expect_size;
static uint64_t arg_abort_after_usec = USEC_NEVER;
static uint64_t arg_close_after_usec = USEC_NEVER;
static uint64_t arg_hold_usec = USEC_NEVER;
static bool arg_rst;
static uint64_t arg_interval_usec;
static bool arg_start_order;
static uint64_t arg_gap_usec;
static uint64_t arg_timeout_usec = 600 * USEC_PER_SEC;
static bool arg_print;
static uint64_t arg_bytes_slow;
static volatile sig_atomic_t hurried; /* by SIGUSR1: --bytes-slow is over */
static uint64_t arg_seed = 1;
static struct address arg_source; /* size 0: the kernel's choice */
static uint64_t arg_source_count = 1;

#define STARTS_PER_TURN 64
#define SEND_PER_TURN (UINT64_C(1) << 18)
#define RECEIVE_PER_TURN (UINT64_C(1) << 20)
#define RETRY_USEC USEC_PER_MSEC
#define SLOW_STEP_USEC (10 * USEC_PER_MSEC)
#define NUMBER_MAX UINT64_C(100000000)

enum phase {
	PHASE_CONNECTING,
	PHASE_RUNNING,
	PHASE_HOLDING, /* the reply is complete, and verified */
	PHASE_ENDED,   /* on the list of ended connections */
};

struct conn {
	int fd;
	enum phase phase;
	uint64_t number; /* from 1 */
	size_t place;    /* in client.conns */
	struct conn *next_dead;

	uint32_t armed; /* what epoll_fd watches; 0: it does not know the connection */
	uint64_t sent, received;
	uint64_t sum; /* of the bytes sent, with EXPECT_SUM */
	bool shut;    /* the client's direction is shut down */
	bool broken;  /* the peer takes nothing more */
	bool reset;   /* a reset said so */
	bool eof;

	uint64_t started_usec, connected_usec, first_usec, completed_usec; /* USEC_NEVER: not reached */
	uint64_t order;                                                    /* 0: nothing arrived */
	uint64_t retry_usec;                                               /* when connect() is tried again */
	uint64_t slow_usec; /* when more may be read, with --bytes-slow */

	char line[256]; /* the reply's first line, as much of it as fits */
	size_t line_size;
	bool line_done;
};

struct client {
	struct address address;
	int epoll_fd;
	struct conn **conns;
	size_t n_conns;
	struct conn *dead;
	uint64_t started; /* how many */
	uint64_t orders;
	uint64_t next_start_usec;
	bool connecting;   /* with --start-order: the last connection is not connected yet */
	uint64_t due_usec; /* no connection is due earlier */

	uint64_t results[N_RESULTS];
	uint64_t bytes_in, bytes_out;
	uint64_t *totals; /* microseconds of each connection that was ok */
	size_t totals_room;
};

static uint8_t buffer[65536];

/* What is sent: the line if there is one, then the pattern. Each connection has a pattern of its own. */

static uint64_t payload_size(void)
{
	return arg_line_size + arg_send;
}

static uint64_t conn_seed(const struct conn *conn)
{
	return arg_seed * UINT64_C(1000000007) + conn->number;
}

static void payload_fill(const struct conn *conn, uint8_t *data, size_t size, uint64_t offset)
{
	if (offset < arg_line_size) {
		size_t start = (size_t)offset, left = arg_line_size - start, part = size < left ? size : left;

		memcpy(data, arg_line + start, part);
		data += part;
		size -= part;
		offset += part;
	}
	pattern_fill(data, size, conn_seed(conn), offset - arg_line_size);
}

static bool payload_matches(const struct conn *conn, const uint8_t *data, size_t size, uint64_t offset)
{
	if (size > payload_size() - offset)
		return false;
	if (offset < arg_line_size) {
		size_t start = (size_t)offset, left = arg_line_size - start, part = size < left ? size : left;

		if (memcmp(data, arg_line + start, part) != 0)
			return false;
		data += part;
		size -= part;
		offset += part;
	}
	return pattern_matches(data, size, conn_seed(conn), offset - arg_line_size);
}

/* Endings. */

static long long since(uint64_t start_usec, uint64_t usec)
{
	return usec == USEC_NEVER ? -1 : (long long)(usec - start_usec);
}

static void conn_print(const struct conn *conn, enum result result, int error)
{
	(void)printf("conn=%" PRIu64 " result=%s", conn->number, result_names[result]);
	if (result == RESULT_ERROR)
		(void)printf(":%d", error);
	(void)printf(" connect_usec=%lld first_usec=%lld total_usec=%lld bytes_in=%" PRIu64 " bytes_out=%" PRIu64
		     " order=%" PRIu64 " reply=",
		     since(conn->started_usec, conn->connected_usec), since(conn->started_usec, conn->first_usec),
		     since(conn->started_usec, conn->completed_usec), conn->received, conn->sent, conn->order);
	for (size_t i = 0; i < conn->line_size; i++)
		(void)putchar(conn->line[i] >= ' ' && conn->line[i] <= '~' ? conn->line[i] : '?');
	(void)putchar('\n');
}

static void total_add(struct client *client, uint64_t usec)
{
	if (client->results[RESULT_OK] >= client->totals_room) {
		size_t room = client->totals_room > 0 ? client->totals_room * 2 : 1024;
		uint64_t *totals = realloc(client->totals, room * sizeof(*totals));

		if (!totals)
			die("no memory for the results");
		client->totals = totals;
		client->totals_room = room;
	}
	client->totals[client->results[RESULT_OK]] = usec;
}

/* With --start-order: the next connection may start now, or later if --gap-usec or --interval say so. */
static void client_let_next_start(struct client *client, uint64_t now)
{
	if (!client->connecting)
		return;
	client->connecting = false;
	if (client->next_start_usec < now + arg_gap_usec)
		client->next_start_usec = now + arg_gap_usec;
}

static void conn_end(struct client *client, struct conn *conn, enum result result, int error, bool reset)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	assert(conn->phase != PHASE_ENDED);
	if (reset)
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (close(conn->fd) < 0 && errno != ECONNRESET)
		die("cannot close a connection");
	if (conn->phase == PHASE_CONNECTING)
		client_let_next_start(client, now_usec());
	if (conn->completed_usec == USEC_NEVER)
		conn->completed_usec = now_usec();
	conn->phase = PHASE_ENDED;

	client->bytes_in += conn->received;
	client->bytes_out += conn->sent;
	if (result == RESULT_OK)
		total_add(client, conn->completed_usec - conn->started_usec);
	client->results[result]++;
	if (arg_print)
		conn_print(conn, result, error);

	client->n_conns--;
	client->conns[conn->place] = client->conns[client->n_conns];
	client->conns[conn->place]->place = conn->place;
	conn->next_dead = client->dead;
	client->dead = conn;
}

static void conn_fail_errno(struct client *client, struct conn *conn, int error)
{
	if (error == ECONNREFUSED)
		conn_end(client, conn, RESULT_REFUSED, 0, false);
	else if (error == ECONNRESET || error == EPIPE)
		conn_end(client, conn, RESULT_RESET, 0, false);
	else
		conn_end(client, conn, RESULT_ERROR, error, false);
}

static void dead_free(struct client *client)
{
	struct conn *conn;

	while ((conn = client->dead)) {
		client->dead = conn->next_dead;
		free(conn);
	}
}

/* Holds or ends a connection: its reply is complete and right. */
static void conn_complete(struct client *client, struct conn *conn)
{
	conn->completed_usec = now_usec();
	if (arg_hold_usec == USEC_NEVER || arg_hold_usec == 0)
		conn_end(client, conn, RESULT_OK, 0, arg_rst);
	else
		conn->phase = PHASE_HOLDING;
}

/* Time. */

static uint64_t conn_hold_end(const struct conn *conn)
{
	return conn->phase == PHASE_HOLDING ? conn->completed_usec + arg_hold_usec : USEC_NEVER;
}

static uint64_t after_connect(const struct conn *conn, uint64_t usec)
{
	return conn->connected_usec == USEC_NEVER || usec == USEC_NEVER ? USEC_NEVER : conn->connected_usec + usec;
}

/* The timeout does not count in a hold, which may be longer on purpose. */
static uint64_t conn_timeout(const struct conn *conn)
{
	return conn->phase == PHASE_HOLDING ? USEC_NEVER : conn->started_usec + arg_timeout_usec;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t conn_due(const struct conn *conn)
{
	uint64_t due = earlier(conn_timeout(conn), conn_hold_end(conn));

	due = earlier(due, after_connect(conn, arg_abort_after_usec));
	due = earlier(due, after_connect(conn, arg_close_after_usec));
	return earlier(due, earlier(conn->retry_usec, conn->slow_usec));
}

/* The number of bytes that may be read now; if 0, slow_usec says when. */
static size_t conn_allowance(struct conn *conn)
{
	uint64_t now, allowed, wanted;

	conn->slow_usec = USEC_NEVER;
	if (arg_bytes_slow == 0 || hurried)
		return sizeof(buffer);
	now = now_usec();
	allowed = (uint64_t)((double)(now - conn->connected_usec) * (double)arg_bytes_slow / 1e6);
	if (allowed > conn->received)
		return (size_t)earlier(allowed - conn->received, sizeof(buffer));
	wanted = USEC_PER_SEC / arg_bytes_slow + 1;
	conn->slow_usec = now + (wanted > SLOW_STEP_USEC ? wanted : SLOW_STEP_USEC);
	return 0;
}

/* The number of bytes that may be sent now. */
static uint64_t conn_unsent(const struct conn *conn)
{
	uint64_t ahead = conn->sent > conn->received ? conn->sent - conn->received : 0;

	return ahead < arg_ahead ? earlier(payload_size() - conn->sent, arg_ahead - ahead) : 0;
}

/* Sets the events that the connection waits for, and the client's alarm for what is due by time. */
static void conn_arm(struct client *client, struct conn *conn)
{
	struct epoll_event event = { .data.ptr = conn };
	bool wants_output = conn->phase == PHASE_RUNNING && !conn->broken && conn_unsent(conn) > 0;
	bool wants_input = conn->phase != PHASE_CONNECTING && !conn->eof && conn->slow_usec == USEC_NEVER;
	int operation;

	client->due_usec = earlier(client->due_usec, conn_due(conn));
	if (conn->phase == PHASE_CONNECTING)
		wants_output = conn->retry_usec == USEC_NEVER;
	event.events = (wants_output ? (uint32_t)EPOLLOUT : 0) | (wants_input ? (uint32_t)EPOLLIN : 0);
	if (event.events == conn->armed)
		return;
	operation = conn->armed == 0 ? EPOLL_CTL_ADD : event.events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
	if (epoll_ctl(client->epoll_fd, operation, conn->fd, &event) < 0)
		die("cannot change what is awaited of a connection");
	conn->armed = event.events;
}

/* Receiving. */

static void line_take(struct conn *conn, const uint8_t *data, size_t size)
{
	for (; !conn->line_done && size > 0; data++, size--) {
		if (*data == '\n')
			conn->line_done = true;
		else if (conn->line_size < sizeof(conn->line) - 1)
			conn->line[conn->line_size++] = (char)*data;
	}
	conn->line[conn->line_size] = '\0';
}

/* Whether the line has the right " got=BYTES sum=HASH" in one piece, followed by its end or a blank. */
static bool sum_matches(const struct conn *conn)
{
	char wanted[64];
	const char *found;
	int size = snprintf(wanted, sizeof(wanted), " got=%" PRIu64 " sum=%016" PRIx64, conn->sent, conn->sum);

	assert(size > 0 && (size_t)size < sizeof(wanted));
	found = strstr(conn->line, wanted);
	return found && (found[size] == '\0' || found[size] == ' ');
}

static bool all_sent(const struct conn *conn)
{
	return conn->sent == payload_size();
}

/* Whether the bytes so far are right. */
static bool conn_verify(const struct conn *conn, const uint8_t *data, size_t size)
{
	const uint8_t *newline;

	switch (arg_expect) {
	case EXPECT_ECHO:
		return payload_matches(conn, data, size, conn->received);
	case EXPECT_PATTERN:
		return size <= arg_expect_size - conn->received &&
		       pattern_matches(data, size, arg_expect_size, conn->received);
	case EXPECT_SUM:
		/* The reply is one line, with nothing behind it. */
		newline = memchr(data, '\n', size);
		return !conn->line_done && (!newline || newline == data + size - 1);
	case EXPECT_NONE:
		return false;
	default:
		return true;
	}
}

/* Whether the reply is complete by its bytes, without an end of input. */
static bool conn_is_complete(const struct conn *conn)
{
	switch (arg_expect) {
	case EXPECT_ECHO:
		return !arg_half_close && conn->received == payload_size();
	case EXPECT_LINE:
		return conn->line_done;
	case EXPECT_NONE:
		return arg_hold_usec != USEC_NEVER && all_sent(conn) && conn->received == 0;
	default:
		return false;
	}
}

static enum result conn_result_at_eof(const struct conn *conn)
{
	if (conn->reset)
		return RESULT_RESET;
	switch (arg_expect) {
	case EXPECT_ECHO:
		return arg_half_close && conn->received == payload_size() ? RESULT_OK : RESULT_EARLY;
	case EXPECT_SUM:
		if (!conn->line_done)
			return RESULT_EARLY;
		return all_sent(conn) && sum_matches(conn) ? RESULT_OK : RESULT_MISMATCH;
	case EXPECT_PATTERN:
		return conn->received == arg_expect_size ? RESULT_OK : RESULT_EARLY;
	case EXPECT_ANY:
		return conn->received > 0 ? RESULT_OK : RESULT_EARLY;
	case EXPECT_NONE:
		return all_sent(conn) ? RESULT_OK : RESULT_EARLY;
	default:
		return RESULT_EARLY;
	}
}

static void conn_eof(struct client *client, struct conn *conn)
{
	enum result result;

	conn->eof = true;
	if (conn->phase == PHASE_HOLDING) {
		/* The node may end first; only an echo node has no reason to. */
		if (arg_expect == EXPECT_ECHO)
			conn_end(client, conn, RESULT_EARLY, 0, false);
		return;
	}
	result = conn_result_at_eof(conn);
	if (result == RESULT_OK)
		conn_complete(client, conn);
	else
		conn_end(client, conn, result, 0, false);
}

/* Notes the first sign of life, which orders the replies: a byte, or an end without any byte. */
static void conn_arrival(struct client *client, struct conn *conn, bool byte)
{
	if (conn->order == 0)
		conn->order = ++client->orders;
	if (byte && conn->first_usec == USEC_NEVER)
		conn->first_usec = now_usec();
}

static void conn_receive(struct client *client, struct conn *conn)
{
	uint64_t turn = 0;

	while (conn->phase != PHASE_ENDED && !conn->eof && turn < RECEIVE_PER_TURN) {
		size_t size = conn_allowance(conn);
		ssize_t n;

		if (size == 0)
			return;
		n = recv(conn->fd, buffer, size, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			conn_fail_errno(client, conn, errno);
			return;
		}
		conn_arrival(client, conn, n > 0);
		if (n == 0) {
			conn_eof(client, conn);
			return;
		}
		size = (size_t)n;
		turn += size;
		if (!conn_verify(conn, buffer, size)) {
			line_take(conn, buffer, size);
			conn->received += size;
			conn_end(client, conn, RESULT_MISMATCH, 0, false);
			return;
		}
		line_take(conn, buffer, size);
		conn->received += size;
		if (conn->phase == PHASE_RUNNING && conn_is_complete(conn))
			conn_complete(client, conn);
	}
}

/* Sending. */

static void conn_send(struct client *client, struct conn *conn)
{
	uint64_t turn = 0;

	while (!conn->broken && conn_unsent(conn) > 0 && turn < SEND_PER_TURN) {
		size_t size = (size_t)earlier(conn_unsent(conn), sizeof(buffer));
		ssize_t n;

		payload_fill(conn, buffer, size, conn->sent);
		n = send(conn->fd, buffer, size, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			/* A reply may have come before this error: the read tells how the connection ends. */
			conn->broken = true;
			conn->reset = errno == ECONNRESET || errno == EPIPE;
			if (!conn->reset)
				conn_end(client, conn, RESULT_ERROR, errno, false);
			return;
		}
		if (arg_expect == EXPECT_SUM)
			conn->sum = fnv1a64(conn->sum, buffer, (size_t)n);
		conn->sent += (uint64_t)n;
		turn += (uint64_t)n;
	}
	if (!conn->broken && all_sent(conn) && arg_half_close && !conn->shut) {
		conn->shut = true;
		if (shutdown(conn->fd, SHUT_WR) < 0 && errno != ENOTCONN)
			conn_end(client, conn, RESULT_ERROR, errno, false);
	}
}

/* Connecting. */

/*
 * Whether a socket is connected to itself. A connect() to a free port of the ephemeral range can get the same port as
 * its own: then it succeeds, though it should be refused.
 */
static bool conn_met_itself(const struct conn *conn, const struct address *address)
{
	struct address own = { .size = sizeof(own.storage) };

	if (address->any.sa_family == AF_UNIX)
		return false;
	if (getsockname(conn->fd, &own.any, &own.size) < 0)
		die("cannot tell a connection's own address");
	if (own.any.sa_family == AF_INET)
		return own.in.sin_port == address->in.sin_port && own.in.sin_addr.s_addr == address->in.sin_addr.s_addr;
	return own.in6.sin6_port == address->in6.sin6_port &&
	       memcmp(&own.in6.sin6_addr, &address->in6.sin6_addr, sizeof(own.in6.sin6_addr)) == 0;
}

/* Does the turn of a connection that is connected. */
static void conn_turn(struct client *client, struct conn *conn)
{
	if (conn->phase == PHASE_RUNNING)
		conn_send(client, conn);
	if (conn->phase == PHASE_RUNNING && conn_is_complete(conn))
		conn_complete(client, conn);
	if (conn->phase == PHASE_RUNNING || conn->phase == PHASE_HOLDING)
		conn_receive(client, conn);
	if (conn->phase == PHASE_RUNNING && conn->broken && conn->eof)
		conn_end(client, conn, RESULT_RESET, 0, false);
	if (conn->phase != PHASE_ENDED)
		conn_arm(client, conn);
}

static void conn_connected(struct client *client, struct conn *conn)
{
	int one = 1;

	if (conn_met_itself(conn, &client->address)) {
		conn_end(client, conn, RESULT_REFUSED, 0, true);
		return;
	}
	conn->connected_usec = now_usec();
	conn->phase = PHASE_RUNNING;
	client_let_next_start(client, conn->connected_usec);
	if (client->address.any.sa_family != AF_UNIX)
		(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn_turn(client, conn);
}

/* Connects. A unix socket with a full backlog answers EAGAIN, and does not tell when to try again. */
static void conn_connect(struct client *client, struct conn *conn)
{
	conn->retry_usec = USEC_NEVER;
	if (connect(conn->fd, &client->address.any, client->address.size) == 0)
		conn_connected(client, conn);
	else if (errno == EINPROGRESS)
		conn_arm(client, conn);
	else if (errno == EAGAIN && client->address.any.sa_family == AF_UNIX) {
		conn->retry_usec = now_usec() + RETRY_USEC;
		conn_arm(client, conn);
	} else
		conn_fail_errno(client, conn, errno);
}

static void conn_connect_result(struct client *client, struct conn *conn)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		die("cannot tell how a connect() went");
	if (error != 0)
		conn_fail_errno(client, conn, error);
	else
		conn_connected(client, conn);
}

/*
 * Binds to the source addresses in turn, which stand for different clients. They also give more ports: the side that
 * closes first leaves its port in TIME_WAIT for a minute. When half of the range is used up (14,000 connections to one
 * port), each connect() spends milliseconds in the kernel's search for a free port.
 */
static void conn_bind(const struct conn *conn)
{
	struct address source = arg_source;
	uint32_t step = (uint32_t)((conn->number - 1) % arg_source_count), last;
	uint8_t *bytes;
	int one = 1;

	if (source.size == 0)
		return;
	/* The last four bytes are counted up. */
	bytes = source.any.sa_family == AF_INET ? (uint8_t *)&source.in.sin_addr
						: (uint8_t *)&source.in6.sin6_addr + 12;
	memcpy(&last, bytes, sizeof(last));
	last = htonl(ntohl(last) + step);
	memcpy(bytes, &last, sizeof(last));
	if (setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) < 0)
		die("cannot set IP_BIND_ADDRESS_NO_PORT");
	if (bind(conn->fd, &source.any, source.size) < 0)
		die("cannot use source address number %" PRIu64, (uint64_t)step + 1);
}

static void conn_start(struct client *client)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		die("no memory for a connection");
	conn->number = ++client->started;
	conn->phase = PHASE_CONNECTING;
	conn->sum = FNV1A64_START;
	conn->connected_usec = conn->first_usec = conn->completed_usec = USEC_NEVER;
	conn->retry_usec = conn->slow_usec = USEC_NEVER;
	conn->fd = socket(client->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		die("cannot make a socket");
	conn_bind(conn);
	conn->place = client->n_conns;
	client->conns[client->n_conns++] = conn;
	conn->started_usec = now_usec();
	client->next_start_usec = conn->started_usec + arg_interval_usec;
	client->connecting = arg_start_order;
	conn_connect(client, conn);
}

/* The loop. */

static void conn_due_now(struct client *client, struct conn *conn, uint64_t now)
{
	if (conn_timeout(conn) <= now) {
		conn_end(client, conn, RESULT_TIMEOUT, 0, false);
	} else if (after_connect(conn, arg_abort_after_usec) <= now) {
		conn_end(client, conn, RESULT_OK, 0, true);
	} else if (after_connect(conn, arg_close_after_usec) <= now) {
		conn_end(client, conn, RESULT_OK, 0, false);
	} else if (conn_hold_end(conn) <= now) {
		conn_end(client, conn, RESULT_OK, 0, arg_rst);
	} else if (conn->retry_usec <= now) {
		conn_connect(client, conn);
	} else if (conn->slow_usec <= now) {
		conn->slow_usec = USEC_NEVER;
		conn_turn(client, conn);
	}
}

/* Goes backwards, as conn_end() moves the last connection to the place of the ended connection. */
static void client_wake_due(struct client *client)
{
	uint64_t now = now_usec();

	if (now < client->due_usec)
		return;
	client->due_usec = USEC_NEVER;
	for (size_t i = client->n_conns; i-- > 0;) {
		struct conn *conn = client->conns[i];

		if (conn_due(conn) <= now)
			conn_due_now(client, conn, now);
		if (conn->phase != PHASE_ENDED)
			client->due_usec = earlier(client->due_usec, conn_due(conn));
	}
}

static bool client_may_start(const struct client *client)
{
	return client->started < arg_number && client->n_conns < arg_concurrent && !client->connecting;
}

static void client_start_some(struct client *client)
{
	for (int i = 0; i < STARTS_PER_TURN && client_may_start(client); i++) {
		if (now_usec() < client->next_start_usec)
			return;
		conn_start(client);
	}
}

static void client_run(struct client *client)
{
	while (client->n_conns > 0 || client->started < arg_number) {
		struct epoll_event events[256];
		uint64_t until;
		int n;

		client_start_some(client);
		until = client->due_usec;
		if (client_may_start(client))
			until = earlier(until, client->next_start_usec);
		if (client->n_conns == 0 && client->started == arg_number)
			until = 0;
		n = events_wait(client->epoll_fd, events, 256, until);
		if (n < 0) {
			errno = -n;
			die("cannot wait for events");
		}
		for (int i = 0; i < n; i++) {
			struct conn *conn = events[i].data.ptr;

			if (conn->phase == PHASE_CONNECTING)
				conn_connect_result(client, conn);
			else if (conn->phase != PHASE_ENDED)
				conn_turn(client, conn);
		}
		client_wake_due(client);
		dead_free(client);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* The percentile, by nearest rank, of the times of connections that were ok; 0 if there are none. */
static uint64_t percentile(const struct client *client, uint64_t percent)
{
	uint64_t n = client->results[RESULT_OK];

	return n == 0 ? 0 : client->totals[(n * percent + 99) / 100 - 1];
}

static void client_summarize(struct client *client, uint64_t elapsed_usec)
{
	uint64_t ok = client->results[RESULT_OK];

	if (ok > 0)
		qsort(client->totals, ok, sizeof(*client->totals), compare);
	(void)printf("ok=%" PRIu64 " failed=%" PRIu64 " refused=%" PRIu64 " reset=%" PRIu64 " early=%" PRIu64
		     " mismatch=%" PRIu64 " timeout=%" PRIu64 " rate=%.1f p50_usec=%" PRIu64 " p99_usec=%" PRIu64
		     " max_usec=%" PRIu64 " bytes_in=%" PRIu64 " bytes_out=%" PRIu64 "\n",
		     ok, arg_number - ok, client->results[RESULT_REFUSED], client->results[RESULT_RESET],
		     client->results[RESULT_EARLY], client->results[RESULT_MISMATCH], client->results[RESULT_TIMEOUT],
		     (double)ok * 1e6 / (double)(elapsed_usec > 0 ? elapsed_usec : 1), percentile(client, 50),
		     percentile(client, 99), percentile(client, 100), client->bytes_in, client->bytes_out);
}

/* The command line. */

static void help(void)
{
	(void)fputs("cbtest-client [OPTION]... HOST:PORT|[V6]:PORT|unix:PATH\n"
		    "Drives many connections at once and verifies every byte.\n\n"
		    "  -n N                  connections in all (1)\n"
		    "  -c N                  at most so many at once (all)\n"
		    "      --line TEXT       send TEXT and a newline\n"
		    "      --send BYTES      send so much of a pattern, behind the line if there is one\n"
		    "      --seed N          another pattern (1); each connection's differs in any case\n"
		    "      --half-close      shut down our direction when all is sent\n"
		    "      --expect WHAT     when the reply is complete, and right:\n"
		    "            echo           what was sent has come back; with --half-close the end too\n"
		    "            sum            one line with \" got=BYTES sum=FNV1A64\", and the end; half-closes\n"
		    "            line           the first newline has come\n"
		    "            pattern:BYTES  so much of the pattern with seed BYTES has come, and the end\n"
		    "            any            the end has come, behind one byte or more (default)\n"
		    "            none           the end has come, without a byte; or, with --hold, all is sent\n"
		    "      --hold MSEC       keep the connection so long after the complete reply\n"
		    "      --rst             then end it by a reset\n"
		    "      --abort-after MSEC, --close-after MSEC\n"
		    "                        end it so long after connect() by a reset, or plainly, and call it ok\n"
		    "      --timeout SEC     from start to complete reply (600; fractions are allowed)\n"
		    "      --ahead BYTES     send at most so many bytes more than have come back\n"
		    "      --bytes-slow RATE read at most RATE bytes a second on each connection, until SIGUSR1\n"
		    "      --interval MSEC   between starts\n"
		    "      --start-order     start one when the one before it is connected\n"
		    "      --gap-usec USEC   and so much later\n"
		    "      --source ADDR[/N] connect from ADDR, or in turn from the N addresses that it begins\n"
		    "      --print           a line for each connection at its end\n"
		    "      --help\n\n"
		    "Times are of the complete reply, without --hold. What was not reached is -1, no order 0.\n"
		    "Status: 0 all ok, 1 not all, 64 usage, 71 system.\n",
		    stdout);
}

static uint64_t option_number(const char *name, uint64_t minimum, uint64_t maximum)
{
	uint64_t number;

	if (!number_parse(optarg, minimum, maximum, &number))
		usage_error("%s: \"%s\": expected a number, %" PRIu64 " to %" PRIu64, name, optarg, minimum, maximum);
	return number;
}

static void expect_parse(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t size = colon ? (size_t)(colon - text) : strlen(text);

	for (size_t i = 0; i < N_EXPECTS; i++) {
		if (strlen(expect_names[i]) != size || strncmp(expect_names[i], text, size) != 0)
			continue;
		if (!colon == (i == EXPECT_PATTERN))
			usage_error("--expect: \"%s\": expected %s%s", text, expect_names[i],
				    i == EXPECT_PATTERN ? ":BYTES" : "");
		if (colon && !number_parse(colon + 1, 0, UINT64_MAX, &arg_expect_size))
			usage_error("--expect: \"%s\": expected a number of bytes", text);
		arg_expect = (enum expect)i;
		return;
	}
	usage_error("--expect: \"%s\": expected echo, sum, line, pattern:BYTES, any or none", text);
}

static void line_parse(const char *text)
{
	free(arg_line);
	arg_line_size = strlen(text) + 1;
	arg_line = malloc(arg_line_size);
	if (!arg_line)
		die("no memory for the line");
	memcpy(arg_line, text, arg_line_size - 1);
	arg_line[arg_line_size - 1] = '\n';
}

static void source_parse(const char *text)
{
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	struct address source = { .size = 0 };
	char host[INET6_ADDRSTRLEN];

	if (slash && !number_parse(slash + 1, 1, 65536, &arg_source_count))
		usage_error("--source: \"%s\": expected 1 to 65536 addresses", text);
	if (size < sizeof(host)) {
		memcpy(host, text, size);
		host[size] = '\0';
		if (inet_pton(AF_INET, host, &source.in.sin_addr) == 1) {
			source.in.sin_family = AF_INET;
			source.size = sizeof(source.in);
		} else if (inet_pton(AF_INET6, host, &source.in6.sin6_addr) == 1) {
			source.in6.sin6_family = AF_INET6;
			source.size = sizeof(source.in6);
		}
	}
	if (source.size == 0)
		usage_error("--source: \"%s\": expected an IPv4 or IPv6 address", text);
	arg_source = source;
}

static void options_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "send", required_argument, NULL, OPTION_SEND },
		{ "line", required_argument, NULL, OPTION_LINE },
		{ "half-close", no_argument, NULL, OPTION_HALF_CLOSE },
		{ "expect", required_argument, NULL, OPTION_EXPECT },
		{ "abort-after", required_argument, NULL, OPTION_ABORT_AFTER },
		{ "close-after", required_argument, NULL, OPTION_CLOSE_AFTER },
		{ "hold", required_argument, NULL, OPTION_HOLD },
		{ "rst", no_argument, NULL, OPTION_RST },
		{ "interval", required_argument, NULL, OPTION_INTERVAL },
		{ "start-order", no_argument, NULL, OPTION_START_ORDER },
		{ "gap-usec", required_argument, NULL, OPTION_GAP_USEC },
		{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
		{ "print", no_argument, NULL, OPTION_PRINT },
		{ "ahead", required_argument, NULL, OPTION_AHEAD },
		{ "bytes-slow", required_argument, NULL, OPTION_BYTES_SLOW },
		{ "seed", required_argument, NULL, OPTION_SEED },
		{ "source", required_argument, NULL, OPTION_SOURCE },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "n:c:h", options, NULL)) != -1) {
		switch (option) {
		case 'n':
			arg_number = option_number("-n", 1, NUMBER_MAX);
			break;
		case 'c':
			arg_concurrent = option_number("-c", 1, NUMBER_MAX);
			break;
		case OPTION_SEND:
			arg_send = option_number("--send", 0, INT64_MAX);
			break;
		case OPTION_LINE:
			line_parse(optarg);
			break;
		case OPTION_HALF_CLOSE:
			arg_half_close = true;
			break;
		case OPTION_EXPECT:
			expect_parse(optarg);
			break;
		case OPTION_ABORT_AFTER:
			arg_abort_after_usec = option_number("--abort-after", 0, MSEC_MAX) * USEC_PER_MSEC;
			break;
		case OPTION_CLOSE_AFTER:
			arg_close_after_usec = option_number("--close-after", 0, MSEC_MAX) * USEC_PER_MSEC;
			break;
		case OPTION_HOLD:
			arg_hold_usec = option_number("--hold", 0, MSEC_MAX) * USEC_PER_MSEC;
			break;
		case OPTION_RST:
			arg_rst = true;
			break;
		case OPTION_INTERVAL:
			arg_interval_usec = option_number("--interval", 0, MSEC_MAX) * USEC_PER_MSEC;
			break;
		case OPTION_START_ORDER:
			arg_start_order = true;
			break;
		case OPTION_GAP_USEC:
			arg_gap_usec = option_number("--gap-usec", 0, MSEC_MAX * USEC_PER_MSEC);
			break;
		case OPTION_TIMEOUT:
			if (!seconds_parse(optarg, &arg_timeout_usec))
				usage_error("--timeout: \"%s\": expected seconds, up to 86400", optarg);
			break;
		case OPTION_PRINT:
			arg_print = true;
			break;
		case OPTION_AHEAD:
			arg_ahead = option_number("--ahead", 1, INT64_MAX);
			break;
		case OPTION_BYTES_SLOW:
			arg_bytes_slow = option_number("--bytes-slow", 1, INT64_MAX);
			break;
		case OPTION_SEED:
			arg_seed = option_number("--seed", 0, UINT64_MAX);
			break;
		case OPTION_SOURCE:
			source_parse(optarg);
			break;
		case 'h':
			help();
			exit(fflush(stdout) == 0 ? 0 : EXIT_SYSTEM);
		default:
			(void)fprintf(stderr, "cbtest-client: see cbtest-client --help\n");
			exit(EXIT_USAGE);
		}
	}
	if (argc - optind != 1)
		usage_error("expected one address to connect to");
	if (arg_gap_usec > 0 && !arg_start_order)
		usage_error("--gap-usec goes with --start-order");
	if (arg_expect == EXPECT_SUM)
		arg_half_close = true;
	if (arg_concurrent == 0 || arg_concurrent > arg_number)
		arg_concurrent = arg_number;
}

/* Checks the limit of descriptors. Some are open besides the connections: the standard ones, epoll, inherited ones. */
static void descriptors_check(void)
{
	long long limit = descriptors_raise();

	if (limit < 0) {
		errno = (int)-limit;
		die("cannot raise the number of descriptors");
	}
	if ((unsigned long long)limit < arg_concurrent + 16) {
		(void)fprintf(stderr,
			      "cbtest-client: %" PRIu64 " connections at once need more than the %lld"
			      " descriptors that the hard limit allows\n",
			      arg_concurrent, limit);
		exit(EXIT_SYSTEM);
	}
}

static void hurry(int signal_number)
{
	(void)signal_number;
	hurried = 1;
}

int main(int argc, char **argv)
{
	struct client client = { .due_usec = USEC_NEVER };
	const char *problem;
	uint64_t start_usec;
	bool all_ok;

	options_parse(argc, argv);
	problem = address_parse(argv[optind], 1, &client.address);
	if (problem)
		usage_error("\"%s\": %s", argv[optind], problem);

	if (arg_source.size > 0 && arg_source.any.sa_family != client.address.any.sa_family)
		usage_error("--source is of another family than \"%s\"", argv[optind]);

	descriptors_check();
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("cannot ignore SIGPIPE");
	if (signal(SIGUSR1, hurry) == SIG_ERR)
		die("cannot handle SIGUSR1");
	if (arg_print && setvbuf(stdout, NULL, _IOLBF, 0) != 0)
		die("cannot make stdout line-buffered");
	client.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (client.epoll_fd < 0)
		die("cannot make an epoll descriptor");
	client.conns = calloc(arg_concurrent, sizeof(struct conn *));
	if (!client.conns)
		die("no memory for %" PRIu64 " connections", arg_concurrent);

	start_usec = now_usec();
	client_run(&client);
	client_summarize(&client, now_usec() - start_usec);
	if (fflush(stdout) != 0 || ferror(stdout))
		die("cannot write to stdout");

	all_ok = client.results[RESULT_OK] == arg_number;
	free(client.conns);
	free(client.totals);
	free(arg_line);
	(void)close(client.epoll_fd);
	return all_ok ? 0 : 1;
}
