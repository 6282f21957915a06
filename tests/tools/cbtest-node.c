/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * cbtest-node: a node for tests, that counts its connections. The promise that no node ever has more connections open
 * than cores is tested by this count, so it must be exact.
 *
 * A connection is open from accept() until the node has closed it, or until its peer is known to have ended it in both
 * directions. epoll reports events in no useful order: the end of an old connection may be reported after the first
 * packet of a new connection, though it arrived before. So after accept() returns a new connection, and before that is
 * counted, node_catch_up() handles all ends that have arrived by then. A second epoll instance makes this cheap: it
 * holds every connection, edge-triggered and for ends only. So it answers at once with the connections that have news,
 * however many thousands are half-closed.
 *
 * An end of input alone is not an end: the peer may have shut down one direction and wait for a reply. So half-closes
 * never make the count lower than the truth. On the other hand, a peer that was killed, with nothing unread, looks like
 * a half-close until the node writes. With --eof-ends the end of input is the end, for tests with clients that never
 * half-close.
 *
 * One thread, non-blocking. Ended connections are kept on a list until the turn is over, as events already fetched may
 * still point to them.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum mode {
	MODE_ECHO,
	MODE_HOLD,
	MODE_REPLY,
	MODE_LINE,
	MODE_SINK,
	MODE_SOURCE,
	MODE_STALL,
	MODE_CLOSING,
	MODE_RESET,
};

/* The modes, as --mode and --help name them; argument is the text behind the colon. */
static const struct mode_name {
	const char *name, *argument, *help;
} mode_names[] = {
	[MODE_ECHO] = { "echo", NULL, "send back what comes; at its end send the rest and close (default)" },
	[MODE_HOLD] = { "hold", "MSEC", "read; MSEC after the accept, and not before a PROXY header, send \"NAME conn=N\" and close" },
	[MODE_REPLY] = { "reply", NULL, "read to the end, send \"NAME got=BYTES sum=FNV1A64\", close" },
	[MODE_LINE] = { "line", NULL, "read one line, do what it says (see Jobs), close" },
	[MODE_SINK] = { "sink", NULL, "read and discard; close at the end of input" },
	[MODE_SOURCE] = { "source", "BYTES", "send BYTES of the pattern, shut down that direction, read to the end" },
	[MODE_STALL] = { "stall", NULL, "never read, never close" },
	[MODE_CLOSING] = { "closing", NULL, "close at once without a byte" },
	[MODE_RESET] = { "reset", NULL, "reset at once" },
};

#define N_MODES (sizeof(mode_names) / sizeof(mode_names[0]))

static enum mode arg_mode = MODE_ECHO;
static uint64_t arg_mode_number;
static const char *arg_name = "node";
static uint64_t arg_max;
static const char *arg_report;
static unsigned arg_proxy;
static bool arg_eof_ends;
static bool arg_die_with_parent;
static uint64_t arg_timeout_usec = 3600 * USEC_PER_SEC;

#define REPORT_INTERVAL_USEC (20 * USEC_PER_MSEC)
#define UNTIL_INTERVAL_USEC (10 * USEC_PER_MSEC)
#define TURN_BYTES (UINT64_C(1) << 20)
#define PROXY_V1_MAX 107
#define PROXY_V2_HEAD 16
#define PROXY_V2_KEPT (PROXY_V2_HEAD + 216)

/* The header that comes before the first byte of a connection with --proxy. */
struct proxy {
	uint8_t bytes[PROXY_V2_KEPT];
	size_t size;
	size_t skip; /* TLVs of v2 still to be passed over */
	bool done;
	char source[sizeof(((struct sockaddr_un *)0)->sun_path) + 16];
};

struct conn {
	int fd;          /* -1 once it has ended */
	uint64_t number; /* counted from 1 */
	struct conn *previous, *next;
	struct proxy *proxy; /* NULL without --proxy */

	bool eof;          /* the peer will send no more */
	bool finishing;    /* only the queued bytes will be sent, then the end */
	bool shut;         /* the node's direction is shut down */
	uint32_t armed;    /* the events that io_fd watches */
	uint64_t due_usec; /* when the mode or the job goes on */

	uint8_t *out; /* bytes that the socket did not take, from out_start to out_size */
	size_t out_start, out_size;
	uint64_t pattern_size, pattern_sent; /* pattern to be sent after those */

	uint64_t got, sum; /* MODE_REPLY */
	char line[256];    /* MODE_LINE */
	size_t line_size;
	bool line_done, job_silent;
	const char *until; /* the name of a file that the job waits for; within line, or NULL */
};

struct node {
	int listen_fd, io_fd, ends_fd, signal_fd;
	const char *unix_path;     /* removed at the end */
	struct conn *conns, *last; /* the oldest first: connections that are due together reply in this order */
	struct conn *dead;
	uint64_t open, max, total, violations, bytes_in, bytes_out;
	uint64_t due_usec; /* no connection's due_usec is earlier */
	uint64_t end_usec;
	bool report_dirty, quit;
	uint64_t reported_usec;
};

static uint8_t buffer[65536];

/* The report. */

static void report_write(struct node *node)
{
	char temporary[4096], text[256];
	int fd, size;

	node->report_dirty = false;
	node->reported_usec = now_usec();
	if (!arg_report)
		return;

	size = snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", arg_report, (long)getpid());
	if (size < 0 || (size_t)size >= sizeof(temporary)) {
		errno = ENAMETOOLONG;
		die("%s", arg_report);
	}
	size = snprintf(text, sizeof(text),
			"open=%" PRIu64 " max=%" PRIu64 " total=%" PRIu64 " violations=%" PRIu64 " bytes_in=%" PRIu64
			" bytes_out=%" PRIu64 "\n",
			node->open, node->max, node->total, node->violations, node->bytes_in, node->bytes_out);
	assert(size > 0 && (size_t)size < sizeof(text));

	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		die("cannot create %s", temporary);
	if (write(fd, text, (size_t)size) != size)
		die("cannot write %s", temporary);
	if (close(fd) < 0)
		die("cannot close %s", temporary);
	if (rename(temporary, arg_report) < 0)
		die("cannot rename %s to %s", temporary, arg_report);
}

/* Endings: every connection ends in conn_end(). */

static void conn_end(struct node *node, struct conn *conn, bool reset)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	assert(conn->fd >= 0);
	if (reset)
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (close(conn->fd) < 0 && errno != ECONNRESET)
		die("cannot close a connection");
	conn->fd = -1;
	node->open--;
	node->report_dirty = true;

	if (conn->previous)
		conn->previous->next = conn->next;
	else
		node->conns = conn->next;
	if (conn->next)
		conn->next->previous = conn->previous;
	else
		node->last = conn->previous;
	conn->next = node->dead;
	node->dead = conn;
}

/*
 * Ends a connection in an orderly way. It first reads what has arrived: close() with unread bytes sends a reset, and a
 * reset can destroy the last reply on its way. It reads a bounded number of bytes: a peer that never stops gets its
 * reset.
 */
static void conn_close(struct node *node, struct conn *conn)
{
	for (uint64_t left = TURN_BYTES; !conn->eof && left >= sizeof(buffer); left -= sizeof(buffer)) {
		ssize_t n = recv(conn->fd, buffer, sizeof(buffer), 0);

		if (n <= 0)
			break;
		node->bytes_in += (uint64_t)n;
	}
	conn_end(node, conn, false);
}

static void dead_free(struct node *node)
{
	struct conn *conn;

	while ((conn = node->dead)) {
		node->dead = conn->next;
		free(conn->proxy);
		free(conn->out);
		free(conn);
	}
}

/* Sending. False means that the connection has ended. */

static bool conn_send_now(struct node *node, struct conn *conn, const uint8_t *data, size_t size, size_t *ret_sent)
{
	ssize_t n = send(conn->fd, data, size, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_end(node, conn, false);
		return false;
	}
	*ret_sent = n < 0 ? 0 : (size_t)n;
	if (n > 0) {
		node->bytes_out += (uint64_t)n;
		node->report_dirty = true;
	}
	return true;
}

/* Sends what the socket takes, and queues the rest. Called only when nothing is queued. */
static bool conn_send(struct node *node, struct conn *conn, const uint8_t *data, size_t size)
{
	size_t sent;

	assert(conn->out_size == 0);
	if (!conn_send_now(node, conn, data, size, &sent))
		return false;
	if (sent == size)
		return true;
	conn->out = malloc(size - sent);
	if (!conn->out)
		die("no memory for a connection");
	memcpy(conn->out, data + sent, size - sent);
	conn->out_start = 0;
	conn->out_size = size - sent;
	return true;
}

static bool conn_write(struct node *node, struct conn *conn)
{
	size_t sent;

	if (conn->out_size > 0) {
		if (!conn_send_now(node, conn, conn->out + conn->out_start, conn->out_size - conn->out_start, &sent))
			return false;
		conn->out_start += sent;
		if (conn->out_start < conn->out_size)
			return true;
		free(conn->out);
		conn->out = NULL;
		conn->out_size = 0;
	}

	for (uint64_t turn = 0; conn->pattern_sent < conn->pattern_size && turn < TURN_BYTES; turn += sent) {
		uint64_t left = conn->pattern_size - conn->pattern_sent;
		size_t part = left < sizeof(buffer) ? (size_t)left : sizeof(buffer);

		pattern_fill(buffer, part, conn->pattern_size, conn->pattern_sent);
		if (!conn_send_now(node, conn, buffer, part, &sent))
			return false;
		if (sent == 0)
			return true;
		conn->pattern_sent += sent;
	}
	return true;
}

static bool conn_has_output(const struct conn *conn)
{
	return conn->out_size > 0 || conn->pattern_sent < conn->pattern_size;
}

/* Sends the last line: the connection ends after it. */
static bool __attribute__((format(printf, 3, 4)))
conn_finish(struct node *node, struct conn *conn, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(text, sizeof(text) - sizeof(conn->proxy->source) - 8, format, arguments);
	va_end(arguments);
	assert(size >= 0);
	if (conn->proxy)
		(void)strcat(strcat(text, " src="), conn->proxy->source);
	(void)strcat(text, "\n");
	conn->finishing = true;
	conn->due_usec = USEC_NEVER;
	return conn_send(node, conn, (const uint8_t *)text, strlen(text));
}

static void conn_wake_at(struct node *node, struct conn *conn, uint64_t usec)
{
	conn->due_usec = usec;
	if (usec < node->due_usec)
		node->due_usec = usec;
}

/* The PROXY header. */

static bool proxy_set_source(struct proxy *proxy, int family, const void *address, uint64_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(family, address, text, sizeof(text)))
		return false;
	(void)snprintf(proxy->source, sizeof(proxy->source), family == AF_INET6 ? "[%s]:%" PRIu64 : "%s:%" PRIu64, text,
		       port);
	return true;
}

/* Reads "PROXY TCP4 SOURCE DESTINATION PORT PORT\r\n", exactly so. Returns what is wrong, or NULL. */
static const char *proxy_parse_v1(struct proxy *proxy)
{
	char text[PROXY_V1_MAX + 1], *fields[6], *rest = text;
	uint8_t source[16], destination[16];
	uint64_t source_port, destination_port;
	int family;

	memcpy(text, proxy->bytes, proxy->size);
	text[proxy->size] = '\0';
	if (strlen(text) != proxy->size || proxy->size < 2 || text[proxy->size - 2] != '\r')
		return "v1 line without CR LF";
	text[proxy->size - 2] = '\0';
	if (strcmp(text, "PROXY UNKNOWN") == 0 || strncmp(text, "PROXY UNKNOWN ", 14) == 0) {
		(void)strcpy(proxy->source, "unknown");
		return NULL;
	}

	for (size_t i = 0; i < 6; i++) {
		fields[i] = strsep(&rest, " ");
		if (!fields[i] || *fields[i] == '\0')
			return "v1 line with too few words";
	}
	if (rest)
		return "v1 line with too many words";
	if (strcmp(fields[0], "PROXY") != 0)
		return "no PROXY header";
	if (strcmp(fields[1], "TCP4") == 0)
		family = AF_INET;
	else if (strcmp(fields[1], "TCP6") == 0)
		family = AF_INET6;
	else
		return "v1 line with an unknown protocol";
	if (inet_pton(family, fields[2], source) != 1 || inet_pton(family, fields[3], destination) != 1)
		return "v1 line with a bad address";
	if (!number_parse(fields[4], 0, 65535, &source_port) || !number_parse(fields[5], 0, 65535, &destination_port))
		return "v1 line with a bad port";
	return proxy_set_source(proxy, family, source, source_port) ? NULL : "v1 line with a bad address";
}

static size_t proxy_v2_size(const struct proxy *proxy)
{
	return (size_t)proxy->bytes[14] << 8 | proxy->bytes[15];
}

static const char *proxy_parse_v2(struct proxy *proxy)
{
	const uint8_t *addresses = proxy->bytes + PROXY_V2_HEAD;
	size_t size = proxy_v2_size(proxy);

	switch (proxy->bytes[12]) {
	case 0x20:
		(void)strcpy(proxy->source, "local");
		return NULL;
	case 0x21:
		break;
	default:
		return "v2 header with an unknown version or command";
	}

	switch (proxy->bytes[13]) {
	case 0x00:
		(void)strcpy(proxy->source, "unknown");
		return NULL;
	case 0x11:
		if (size < 12)
			return "v2 header too short for its IPv4 addresses";
		(void)proxy_set_source(proxy, AF_INET, addresses, (unsigned)addresses[8] << 8 | addresses[9]);
		return NULL;
	case 0x21:
		if (size < 36)
			return "v2 header too short for its IPv6 addresses";
		(void)proxy_set_source(proxy, AF_INET6, addresses, (unsigned)addresses[32] << 8 | addresses[33]);
		return NULL;
	case 0x31:
		if (size < 216)
			return "v2 header too short for its unix addresses";
		(void)snprintf(proxy->source, sizeof(proxy->source), "unix:%.108s", (const char *)addresses);
		return NULL;
	default:
		return "v2 header with an unknown family";
	}
}

/*
 * Takes exactly the header's bytes from the front of the data; *ret_used is their number. Returns what is wrong, or
 * NULL.
 */
static const char *proxy_take(struct proxy *proxy, const uint8_t *data, size_t size, size_t *ret_used)
{
	static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	const char *problem = NULL;
	size_t used = 0;

	while (!proxy->done && used < size) {
		size_t wanted = PROXY_V2_HEAD;

		if (proxy->skip > 0) {
			size_t part = size - used < proxy->skip ? size - used : proxy->skip;

			used += part;
			proxy->skip -= part;
			proxy->done = proxy->skip == 0;
			continue;
		}

		proxy->bytes[proxy->size++] = data[used++];
		if (arg_proxy == 1) {
			if (memcmp(proxy->bytes, "PROXY ", proxy->size < 6 ? proxy->size : 6) != 0)
				return "no PROXY header";
			proxy->done = data[used - 1] == '\n';
			if (!proxy->done && proxy->size == PROXY_V1_MAX)
				return "v1 line too long";
			if (proxy->done)
				problem = proxy_parse_v1(proxy);
		} else {
			if (memcmp(proxy->bytes, signature, proxy->size < 12 ? proxy->size : 12) != 0)
				return "no PROXY header";
			if (proxy->size >= PROXY_V2_HEAD)
				wanted += proxy_v2_size(proxy);
			if (proxy->size < PROXY_V2_HEAD || (proxy->size < wanted && proxy->size < PROXY_V2_KEPT))
				continue;
			problem = proxy_parse_v2(proxy);
			proxy->skip = wanted - proxy->size;
			proxy->done = proxy->skip == 0;
		}
		if (problem)
			return problem;
	}
	*ret_used = used;
	return NULL;
}

/* The modes. Each of these returns false when the connection has ended. */

static bool conn_pattern(struct node *node, struct conn *conn, uint64_t size)
{
	conn->pattern_size = size;
	conn->pattern_sent = 0;
	conn->finishing = true;
	return conn_write(node, conn);
}

/* Looks from time to time whether the file is there. */
static bool conn_await_file(struct node *node, struct conn *conn)
{
	if (access(conn->until, F_OK) == 0)
		return conn_finish(node, conn, "%s done", arg_name);
	conn_wake_at(node, conn, now_usec() + UNTIL_INTERVAL_USEC);
	return true;
}

static bool conn_job(struct node *node, struct conn *conn)
{
	char *line = conn->line, *argument = strchr(line, ' ');
	uint64_t number;

	if (strcmp(line, "count") == 0)
		return conn_finish(node, conn, "open=%" PRIu64 " max=%" PRIu64 " total=%" PRIu64, node->open, node->max,
				   node->total);
	if (strcmp(line, "close") == 0) {
		conn_close(node, conn);
		return false;
	}
	if (strcmp(line, "reset") == 0) {
		conn_end(node, conn, true);
		return false;
	}
	if (argument) {
		*argument++ = '\0';
		if (strcmp(line, "bytes") == 0 && number_parse(argument, 0, UINT64_MAX, &number))
			return conn_pattern(node, conn, number);
		if (strcmp(line, "until") == 0) {
			argument[strcspn(argument, " ")] = '\0';
			conn->until = argument;
			return conn_await_file(node, conn);
		}
		conn->job_silent = strcmp(line, "silent") == 0;
		if ((conn->job_silent || strcmp(line, "sleep") == 0) && number_parse(argument, 0, MSEC_MAX, &number)) {
			conn_wake_at(node, conn, now_usec() + number * USEC_PER_MSEC);
			return true;
		}
	}
	return conn_finish(node, conn, "%s error=unknown-job", arg_name);
}

static bool conn_line_input(struct node *node, struct conn *conn, const uint8_t *data, size_t size)
{
	for (; !conn->line_done && size > 0; data++, size--) {
		if (*data == '\n') {
			if (conn->line_size > 0 && conn->line[conn->line_size - 1] == '\r')
				conn->line_size--;
			conn->line[conn->line_size] = '\0';
			conn->line_done = true;
			return conn_job(node, conn);
		}
		if (conn->line_size == sizeof(conn->line) - 1) {
			conn->line_done = true;
			return conn_finish(node, conn, "%s error=line-too-long", arg_name);
		}
		conn->line[conn->line_size++] = (char)*data;
	}
	return true;
}

static bool conn_input(struct node *node, struct conn *conn, const uint8_t *data, size_t size)
{
	switch (arg_mode) {
	case MODE_ECHO:
		return conn_send(node, conn, data, size);
	case MODE_REPLY:
		conn->got += size;
		conn->sum = fnv1a64(conn->sum, data, size);
		return true;
	case MODE_LINE:
		return conn_line_input(node, conn, data, size);
	default:
		return true;
	}
}

static bool conn_eof(struct node *node, struct conn *conn)
{
	conn->eof = true;
	if (conn->proxy && !conn->proxy->done && conn->proxy->size > 0)
		(void)fprintf(stderr, "PROXYERROR conn=%" PRIu64 " header cut short\n", conn->number);
	if (arg_eof_ends && arg_mode != MODE_ECHO && arg_mode != MODE_REPLY) {
		conn_end(node, conn, false);
		return false;
	}
	switch (arg_mode) {
	case MODE_ECHO:
	case MODE_SINK:
		conn->finishing = true;
		return true;
	case MODE_REPLY:
		return conn_finish(node, conn, "%s got=%" PRIu64 " sum=%016" PRIx64, arg_name, conn->got, conn->sum);
	case MODE_LINE:
		/* A line that was cut short is not a job: otherwise a relay that loses its end would not be noticed. */
		if (!conn->line_done)
			conn->finishing = true;
		return true;
	default:
		return true;
	}
}

static bool conn_due(struct node *node, struct conn *conn)
{
	conn->due_usec = USEC_NEVER;
	/* The answer names what the PROXY header says, so the header comes first, however long that takes. */
	if (arg_mode == MODE_HOLD && conn->proxy && !conn->proxy->done) {
		conn_wake_at(node, conn, now_usec() + UNTIL_INTERVAL_USEC);
		return true;
	}
	if (arg_mode == MODE_HOLD)
		return conn_finish(node, conn, "%s conn=%" PRIu64, arg_name, conn->number);
	if (conn->until)
		return conn_await_file(node, conn);
	if (!conn->job_silent)
		return conn_finish(node, conn, "%s done", arg_name);
	conn_close(node, conn);
	return false;
}

/* One connection's turn. */

static bool conn_wants_input(const struct conn *conn)
{
	return !conn->eof && arg_mode != MODE_STALL && !(arg_mode == MODE_ECHO && conn->out_size > 0);
}

static bool conn_read(struct node *node, struct conn *conn, uint64_t budget)
{
	while (conn_wants_input(conn) && budget > 0) {
		ssize_t n = recv(conn->fd, buffer, sizeof(buffer), 0);
		size_t used = 0, size;
		const char *problem;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			conn_end(node, conn, false);
			return false;
		}
		if (n == 0)
			return conn_eof(node, conn);
		size = (size_t)n;
		budget = budget > size ? budget - size : 0;

		if (conn->proxy && !conn->proxy->done) {
			problem = proxy_take(conn->proxy, buffer, size, &used);
			if (problem) {
				(void)fprintf(stderr, "PROXYERROR conn=%" PRIu64 " %s\n", conn->number, problem);
				conn_end(node, conn, true);
				return false;
			}
		}
		if (used == size)
			continue;
		node->bytes_in += size - used;
		node->report_dirty = true;
		if (!conn_input(node, conn, buffer + used, size - used))
			return false;
	}
	return true;
}

/* Sets the events that the connection waits for, always computed from its present state. */
static void conn_arm(struct node *node, struct conn *conn)
{
	struct epoll_event event = { .data.ptr = conn };

	event.events =
		(conn_wants_input(conn) ? (uint32_t)EPOLLIN : 0) | (conn_has_output(conn) ? (uint32_t)EPOLLOUT : 0);
	if (event.events == conn->armed)
		return;
	if (epoll_ctl(node->io_fd, EPOLL_CTL_MOD, conn->fd, &event) < 0)
		die("cannot change what is awaited of a connection");
	conn->armed = event.events;
}

/* Once all queued bytes are sent, ends one direction or the whole connection. false: the connection has ended. */
static bool conn_settle(struct node *node, struct conn *conn)
{
	if (!conn->finishing || conn_has_output(conn))
		return true;
	if (arg_mode == MODE_SOURCE && !conn->eof) {
		if (!conn->shut && shutdown(conn->fd, SHUT_WR) < 0) {
			conn_end(node, conn, false);
			return false;
		}
		conn->shut = true;
		return true;
	}
	conn_close(node, conn);
	return false;
}

/*
 * Does a connection's turn. The events tell only whether both directions are gone, by a reset or by two ends; whether
 * it can read and write is found out by trying. While catching up, a connection is read to its end, however many bytes
 * come before that.
 */
static void conn_turn(struct node *node, struct conn *conn, uint32_t events, bool catching_up)
{
	bool gone = (events & (EPOLLHUP | EPOLLERR)) != 0;

	if (conn->fd < 0)
		return;
	if (!conn_write(node, conn))
		return;
	if (!conn_read(node, conn, gone || catching_up ? UINT64_MAX : TURN_BYTES))
		return;
	if (gone || (arg_eof_ends && arg_mode == MODE_STALL && (events & EPOLLRDHUP))) {
		conn_end(node, conn, false);
		return;
	}
	if (conn_settle(node, conn))
		conn_arm(node, conn);
}

/* Handles all ends that have arrived: after this the count has no connection that has ended by now. */
static void node_catch_up(struct node *node)
{
	struct epoll_event events[256];
	int n;

	do {
		n = epoll_wait(node->ends_fd, events, 256, 0);
		if (n < 0 && errno != EINTR)
			die("cannot wait for the ends of connections");
		for (int i = 0; i < n; i++)
			conn_turn(node, events[i].data.ptr, events[i].events, true);
	} while (n != 0);
}

static void node_count(struct node *node)
{
	node->total++;
	node->open++;
	node->report_dirty = true;
	if (node->open > node->max)
		node->max = node->open;
	if (arg_max > 0 && node->open > arg_max) {
		node->violations++;
		(void)fprintf(stderr, "VIOLATION open=%" PRIu64 " max=%" PRIu64 " limit=%" PRIu64 " name=%s\n",
			      node->open, node->max, arg_max, arg_name);
	}
}

static struct conn *conn_new(struct node *node, int fd)
{
	struct epoll_event end_event = { .events = EPOLLRDHUP | EPOLLET }, io_event = { .events = EPOLLIN };
	struct conn *conn = calloc(1, sizeof(*conn));
	int one = 1;

	if (conn && arg_proxy > 0) {
		conn->proxy = calloc(1, sizeof(*conn->proxy));
		if (conn->proxy)
			(void)strcpy(conn->proxy->source, "none");
	}
	if (!conn || (arg_proxy > 0 && !conn->proxy))
		die("no memory for a connection");
	conn->fd = fd;
	conn->number = node->total;
	conn->due_usec = USEC_NEVER;
	conn->sum = FNV1A64_START;
	if (arg_mode == MODE_STALL)
		io_event.events = 0;
	conn->armed = io_event.events;
	conn->previous = node->last;
	if (node->last)
		node->last->next = conn;
	else
		node->conns = conn;
	node->last = conn;

	if (!node->unix_path)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	end_event.data.ptr = io_event.data.ptr = conn;
	if (epoll_ctl(node->ends_fd, EPOLL_CTL_ADD, fd, &end_event) < 0 ||
	    epoll_ctl(node->io_fd, EPOLL_CTL_ADD, fd, &io_event) < 0)
		die("cannot watch a connection");
	return conn;
}

static void node_accept(struct node *node)
{
	for (;;) {
		int fd = accept4(node->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		uint64_t accepted_usec;
		struct conn *conn;

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			die("cannot accept a connection");
		node_catch_up(node);
		node_count(node);
		conn = conn_new(node, fd);
		accepted_usec = now_usec();

		switch (arg_mode) {
		case MODE_HOLD:
			conn_wake_at(node, conn, accepted_usec + arg_mode_number * USEC_PER_MSEC);
			break;
		case MODE_SOURCE:
			if (conn_pattern(node, conn, arg_mode_number) && conn_settle(node, conn))
				conn_arm(node, conn);
			break;
		case MODE_CLOSING:
			conn_close(node, conn);
			break;
		case MODE_RESET:
			conn_end(node, conn, true);
			break;
		default:
			break;
		}
	}
}

static void node_wake_due(struct node *node, uint64_t now)
{
	struct conn *conn, *next;

	if (now < node->due_usec)
		return;
	node->due_usec = USEC_NEVER;
	for (conn = node->conns; conn; conn = next) {
		next = conn->next;
		if (conn->due_usec <= now) {
			if (conn_due(node, conn) && conn_settle(node, conn))
				conn_arm(node, conn);
		} else if (conn->due_usec < node->due_usec)
			node->due_usec = conn->due_usec;
	}
}

static void node_signals(struct node *node)
{
	struct signalfd_siginfo info;

	while (read(node->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			report_write(node);
		else
			node->quit = true;
	}
}

/* Returns the exit status. */
static int node_run(struct node *node)
{
	for (;;) {
		uint64_t report_usec = node->report_dirty ? node->reported_usec + REPORT_INTERVAL_USEC : USEC_NEVER;
		uint64_t until = node->end_usec, now;
		struct epoll_event events[256];
		int n;

		if (node->due_usec < until)
			until = node->due_usec;
		if (report_usec < until)
			until = report_usec;
		n = events_wait(node->io_fd, events, 256, until);
		if (n < 0) {
			errno = -n;
			die("cannot wait for events");
		}
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &node->signal_fd)
				node_signals(node);
			else if (events[i].data.ptr != &node->listen_fd)
				conn_turn(node, events[i].data.ptr, events[i].events, false);
		}
		if (arg_eof_ends && arg_mode == MODE_STALL)
			node_catch_up(node);
		node_wake_due(node, now_usec());
		node_accept(node);
		dead_free(node);

		now = now_usec();
		if (node->report_dirty && now >= node->reported_usec + REPORT_INTERVAL_USEC)
			report_write(node);
		if (node->quit)
			return 0;
		if (now >= node->end_usec) {
			(void)fprintf(stderr, "cbtest-node: %s: ended by --timeout\n", arg_name);
			return 1;
		}
	}
}

/* Setting up and taking down. */

static void node_listen(struct node *node, const struct address *address)
{
	int family = address->any.sa_family, one = 1;
	struct stat status;

	node->listen_fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (node->listen_fd < 0)
		die("cannot make a socket");
	if (family == AF_UNIX) {
		if (lstat(address->un.sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
		    unlink(address->un.sun_path) < 0)
			die("cannot remove the old %s", address->un.sun_path);
		node->unix_path = address->un.sun_path;
	} else if (setsockopt(node->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		die("cannot set SO_REUSEADDR");
	if (family == AF_INET6 && setsockopt(node->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		die("cannot set IPV6_V6ONLY");
	if (bind(node->listen_fd, &address->any, address->size) < 0)
		die("cannot bind the address");
	if (listen(node->listen_fd, SOMAXCONN) < 0)
		die("cannot listen");
}

/* Announces the port, as the last step before the loop: a test that reads this line can rely on all other steps. */
static void node_announce(const struct node *node)
{
	struct address bound = { .size = sizeof(bound.storage) };

	if (getsockname(node->listen_fd, &bound.any, &bound.size) < 0)
		die("cannot tell the own address");

	if (bound.any.sa_family == AF_UNIX)
		(void)printf("PORT unix:%s\n", node->unix_path);
	else
		(void)printf("PORT %u\n",
			     ntohs(bound.any.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port));
	if (fflush(stdout) != 0)
		die("cannot write to stdout");
}

static void node_watch(struct node *node)
{
	struct epoll_event event = { .events = EPOLLIN };
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGUSR1);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		die("cannot block signals");
	node->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	node->io_fd = epoll_create1(EPOLL_CLOEXEC);
	node->ends_fd = epoll_create1(EPOLL_CLOEXEC);
	if (node->signal_fd < 0 || node->io_fd < 0 || node->ends_fd < 0)
		die("cannot make an event descriptor");

	event.data.ptr = &node->signal_fd;
	if (epoll_ctl(node->io_fd, EPOLL_CTL_ADD, node->signal_fd, &event) < 0)
		die("cannot watch for signals");
	event.data.ptr = &node->listen_fd;
	if (epoll_ctl(node->io_fd, EPOLL_CTL_ADD, node->listen_fd, &event) < 0)
		die("cannot watch the listening socket");
	if (arg_eof_ends && arg_mode == MODE_STALL) {
		/* Nothing else would wake a node that reads from no connection. */
		event.data.ptr = &node->listen_fd;
		if (epoll_ctl(node->io_fd, EPOLL_CTL_ADD, node->ends_fd, &event) < 0)
			die("cannot watch for the ends of connections");
	}
}

static void node_free(struct node *node)
{
	while (node->conns)
		conn_end(node, node->conns, false);
	dead_free(node);
	(void)close(node->listen_fd);
	(void)close(node->io_fd);
	(void)close(node->ends_fd);
	(void)close(node->signal_fd);
	if (node->unix_path)
		(void)unlink(node->unix_path);
}

/* The command line. */

static void help(void)
{
	(void)printf("cbtest-node [OPTION]... [ADDR:]PORT|[V6]:PORT|unix:PATH\n"
		     "A node that counts its open connections exactly. Prints \"PORT n\" when it listens.\n"
		     "PORT 0 is any free one; ADDR is 127.0.0.1 if not given.\n\n"
		     "  -m, --mode MODE         what is done with a connection:\n");
	for (size_t i = 0; i < N_MODES; i++) {
		int width = (int)(13 - strlen(mode_names[i].name));

		(void)printf("            %s%s%-*s%s\n", mode_names[i].name, mode_names[i].argument ? ":" : " ", width,
			     mode_names[i].argument ? mode_names[i].argument : "", mode_names[i].help);
	}
	(void)printf("  -N, --name NAME         the name in replies (node)\n"
		     "  -M, --max N             more than N open is a violation, told on stderr and in the report\n"
		     "  -r, --report FILE       counters, rewritten atomically at most every 20 ms\n"
		     "  -P, --proxy v1|v2       expect a PROXY header; replies get \" src=ADDR:PORT\"\n"
		     "  -e, --eof-ends          the end of input ends a connection in every mode, without a reply\n"
		     "                          where the mode did not ask for that end (all but echo and reply)\n"
		     "  -d, --die-with-parent   end when the parent does\n"
		     "  -t, --timeout SEC       end after that time, status 1 (3600)\n"
		     "  -h, --help\n\n"
		     "Jobs of the mode line: sleep MSEC, bytes N, reset, close, silent MSEC, count,\n"
		     "until FILE (a reply as soon as it exists; what stands behind it is ignored).\n"
		     "SIGUSR1 writes the report; SIGTERM and SIGINT write it and end with status 0.\n");
}

static void mode_parse(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t size = colon ? (size_t)(colon - text) : strlen(text);

	for (size_t i = 0; i < N_MODES; i++) {
		if (strlen(mode_names[i].name) != size || strncmp(mode_names[i].name, text, size) != 0)
			continue;
		if (!colon != !mode_names[i].argument)
			usage_error("--mode: \"%s\": expected %s%s%s", text, mode_names[i].name,
				    mode_names[i].argument ? ":" : "",
				    mode_names[i].argument ? mode_names[i].argument : "");
		arg_mode = (enum mode)i;
		if (colon &&
		    !number_parse(colon + 1, 0, arg_mode == MODE_HOLD ? MSEC_MAX : UINT64_MAX, &arg_mode_number))
			usage_error("--mode: \"%s\": expected a number", text);
		return;
	}
	usage_error("--mode: \"%s\": no such mode", text);
}

static void options_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "name", required_argument, NULL, 'N' },
		{ "max", required_argument, NULL, 'M' },
		{ "report", required_argument, NULL, 'r' },
		{ "proxy", required_argument, NULL, 'P' },
		{ "eof-ends", no_argument, NULL, 'e' },
		{ "die-with-parent", no_argument, NULL, 'd' },
		{ "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "m:N:M:r:P:edt:h", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			mode_parse(optarg);
			break;
		case 'N':
			if (strlen(optarg) > 200)
				usage_error("--name: longer than 200 bytes");
			arg_name = optarg;
			break;
		case 'M':
			if (!number_parse(optarg, 1, UINT64_MAX, &arg_max))
				usage_error("--max: \"%s\": expected a number from 1", optarg);
			break;
		case 'r':
			arg_report = optarg;
			break;
		case 'P':
			if (strcmp(optarg, "v1") != 0 && strcmp(optarg, "v2") != 0)
				usage_error("--proxy: \"%s\": expected v1 or v2", optarg);
			arg_proxy = optarg[1] == '1' ? 1 : 2;
			break;
		case 'e':
			arg_eof_ends = true;
			break;
		case 'd':
			arg_die_with_parent = true;
			break;
		case 't':
			if (!seconds_parse(optarg, &arg_timeout_usec))
				usage_error("--timeout: \"%s\": expected seconds, up to 86400", optarg);
			break;
		case 'h':
			help();
			exit(fflush(stdout) == 0 ? 0 : EXIT_SYSTEM);
		default:
			(void)fprintf(stderr, "cbtest-node: see cbtest-node --help\n");
			exit(EXIT_USAGE);
		}
	}
	if (argc - optind != 1)
		usage_error("expected one address to listen at");
}

int main(int argc, char **argv)
{
	struct node node = { .due_usec = USEC_NEVER };
	pid_t parent = getppid();
	struct address address;
	const char *problem;
	long long limit;
	int status;

	options_parse(argc, argv);
	problem = address_parse(argv[optind], 0, &address);
	if (problem)
		usage_error("\"%s\": %s", argv[optind], problem);

	limit = descriptors_raise();
	if (limit < 0) {
		errno = (int)-limit;
		die("cannot raise the number of descriptors");
	}
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("cannot ignore SIGPIPE");
	node_listen(&node, &address);
	node_watch(&node);
	if (arg_die_with_parent) {
		if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGTERM) < 0)
			die("cannot ask to end with the parent");
		if (getppid() != parent)
			node.quit = true;
	}
	node.end_usec = now_usec() + arg_timeout_usec;
	report_write(&node);
	node_announce(&node);

	status = node_run(&node);
	report_write(&node);
	node_free(&node);
	return status;
}
