/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * forward.c: two directions, each on its own.
 *
 * A direction takes bytes from one socket and gives them to the other. It
 * holds some of them, or none; what poll(2) is asked for follows from that
 * alone: content: wait until they can be given; room: wait until there is
 * something to take. While it holds content it takes no more, which is how
 * back-pressure passes through. When its source has ended and nothing is held,
 * it ends its destination (a half-close); the other direction is not touched.
 *
 * The first bytes are copied through a buffer. A direction whose reads fill
 * the buffer twice in a row is a big flow, and goes on through a pipe with
 * splice(2), which costs a quarter of the copying. Short flows never pay for
 * the pipe. (Copy and splice from the start were both measured: each is worse
 * at the other's end.)
 */

#include "forward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connect.h"
#include "sigterm.h"
#include "system/timespan.h"

#define BUFFER_SIZE 65536u
#define PIPE_SIZE (1 << 20)
#define FULL_READS 2u         /* so many full buffers in a row make a flow big */
#define TURN_LIMIT 16u        /* moves of one direction before the other has its turn */
#define LAST_LIMIT 4096u      /* moves after a reset: more than the kernel can hold */

/* One for each direction, as a process has one connection at a time. Pages that are never used cost nothing. */
static unsigned char buffers[2][BUFFER_SIZE];

/* One socket, and what we know of it. */
struct side {
	int fd;
	bool readable;            /* there may be something to read; else poll(2) must say so first */
	bool hung_up;             /* reported a hang-up without an error: not to be polled for nothing */
	bool no_delay;            /* has TCP_NODELAY */
};

struct direction {
	struct side *from, *to;
	const struct direction *back; /* the other one */
	enum { OPEN, ENDED, CLOSED } state; /* ENDED: the source has ended; CLOSED: passed on */
	unsigned char *buffer;    /* of BUFFER_SIZE */
	size_t start, end;        /* what the buffer holds */
	size_t used;              /* how far it was ever filled */
	int pipe[2];              /* -1: none */
	size_t piped;             /* what the pipe holds */
	unsigned full_reads;
	bool splice_refused;      /* this pair of sockets cannot be spliced */
	uint64_t bytes;
};

/* How a step of a direction went. */
enum step {
	STEP_MOVED,               /* something did; try again */
	STEP_WAIT,                /* nothing can be done now */
	STEP_FROM_RESET,
	STEP_TO_RESET,
	STEP_FAILED,
};

static bool holds(const struct direction *direction)
{
	return direction->end > direction->start || direction->piped > 0;
}

static enum step step_errno(bool reading)
{
	switch (errno) {
	case EAGAIN:
		return STEP_WAIT;
	case EINTR:
		return STEP_MOVED;
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
		return STEP_FAILED;
	default:
		/* ECONNRESET, EPIPE, ETIMEDOUT of the keepalive, EHOSTUNREACH: that side is gone. */
		return reading ? STEP_FROM_RESET : STEP_TO_RESET;
	}
}

/* The end of the source is the end of the destination: now, or, if the other way has ended, by the close(2) to come. */
static enum step pass_end(struct direction *direction)
{
	direction->state = CLOSED;
	if (direction->back->state == CLOSED)
		return STEP_WAIT;
	if (shutdown(direction->to->fd, SHUT_WR) < 0 && errno != ENOTCONN)
		return step_errno(false);
	/* A destination that was reset meanwhile shows it when it is read or polled. */
	return STEP_MOVED;
}

static enum step give(struct direction *direction)
{
	ssize_t n;

	/* The first bytes go out at once in any case; those behind them must not wait for an answer to the first. */
	if (direction->bytes > 0 && !direction->to->no_delay) {
		direction->to->no_delay = true;
		socket_no_delay(direction->to->fd);
	}
	if (direction->piped > 0) {
		n = splice(direction->pipe[0], NULL, direction->to->fd, NULL, direction->piped,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n > 0)
			direction->piped -= (size_t)n;
	} else {
		n = send(direction->to->fd, direction->buffer + direction->start, direction->end - direction->start,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			direction->start += (size_t)n;
		if (direction->start == direction->end)
			direction->start = direction->end = 0;
	}
	if (n < 0)
		return step_errno(false);
	direction->bytes += (uint64_t)n;
	return n > 0 ? STEP_MOVED : STEP_WAIT;
}

/* From now on through a pipe, unless there is none to be had. */
static void become_big(struct direction *direction)
{
	if (pipe2(direction->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		direction->pipe[0] = direction->pipe[1] = -1;
		direction->splice_refused = true;
		return;
	}
	/* More than the system allows is refused, and the pipe stays at its 64 kB: slower, not wrong. */
	(void)fcntl(direction->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
}

static enum step take_copied(struct direction *direction);

static enum step take_spliced(struct direction *direction)
{
	ssize_t n = splice(direction->from->fd, NULL, direction->pipe[1], NULL, PIPE_SIZE,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0) {
		direction->piped = (size_t)n;
		return STEP_MOVED;
	}
	if (n < 0 && (errno == EINVAL || errno == ENOSYS)) {
		direction->splice_refused = true;
		return STEP_MOVED;
	}
	/*
	 * The end, or nothing to be had now; or splice(2) stands before an urgent
	 * byte, for which it says either, and which only recv(2) gets past.
	 */
	return n == 0 || errno == EAGAIN ? take_copied(direction) : step_errno(true);
}

static enum step take_copied(struct direction *direction)
{
	ssize_t n;

	n = recv(direction->from->fd, direction->buffer, BUFFER_SIZE, MSG_DONTWAIT);
	direction->from->readable = n == BUFFER_SIZE;
	if (n < 0)
		return step_errno(true);
	if (n == 0) {
		direction->state = ENDED;
		return STEP_MOVED;
	}
	direction->end = (size_t)n;
	if (direction->used < direction->end)
		direction->used = direction->end;
	direction->full_reads = n == BUFFER_SIZE ? direction->full_reads + 1 : 0;
	if (direction->full_reads == FULL_READS && direction->pipe[0] < 0 && !direction->splice_refused)
		become_big(direction);
	return STEP_MOVED;
}

static enum step step(struct direction *direction)
{
	if (holds(direction))
		return give(direction);
	if (direction->state == ENDED)
		return pass_end(direction);
	if (direction->state == CLOSED || !direction->from->readable)
		return STEP_WAIT;
	if (direction->pipe[0] >= 0 && !direction->splice_refused)
		return take_spliced(direction);
	return take_copied(direction);
}

/* As far as it goes now, within its turn. */
static enum step run(struct direction *direction)
{
	enum step s = STEP_MOVED;

	for (unsigned i = 0; s == STEP_MOVED && i < TURN_LIMIT && direction->state != CLOSED; i++)
		s = step(direction);
	return s;
}

struct pair {
	struct side client, node;
	struct direction in, out;
	uint64_t begun_usec, node_usec, reported_bytes, reported_usec, moved_usec;
	bool settled;             /* has lasted: the node's socket has its keepalive */
	bool node_first;          /* as in struct forward_counts */
};

static void direction_init(struct direction *direction, struct side *from, struct side *to,
			   const struct direction *back, unsigned char *buffer)
{
	*direction = (struct direction){ .from = from, .to = to, .back = back, .buffer = buffer, .pipe = { -1, -1 } };
}

static void direction_clear(struct direction *direction)
{
	/* What one client said must not be there while the next is served. */
	explicit_bzero(direction->buffer, direction->used);
	if (direction->pipe[0] >= 0) {
		(void)close(direction->pipe[0]);
		(void)close(direction->pipe[1]);
	}
}

/* What to wait for on a side: from is the direction that takes from it, to the one that gives to it. */
static short side_events(const struct direction *from, const struct direction *to)
{
	short events = 0;

	if (from->state == OPEN && !holds(from))
		events |= POLLIN;
	if (holds(to))
		events |= POLLOUT;
	return events;
}

/* An error or hang-up on a side of which nothing was asked. true: it was reset. */
static bool side_is_reset(struct side *side, short revents)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (!(revents & (POLLERR | POLLHUP)))
		return false;
	if (getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
		return true;
	/* Both ways have ended; what is still held is for the other side. */
	side->hung_up = true;
	return false;
}

/* Both directions as far as they go. STEP_WAIT, or what ended it; *ret_client tells which side. */
static enum step run_both(struct pair *pair, bool *ret_client)
{
	struct direction *const directions[] = { &pair->in, &pair->out };
	bool moved;

	do {
		uint64_t before = pair->in.bytes + pair->out.bytes;

		moved = false;
		for (unsigned i = 0; i < 2; i++) {
			enum step s = run(directions[i]);

			if (s == STEP_FAILED)
				return s;
			if (s == STEP_FROM_RESET || s == STEP_TO_RESET) {
				*ret_client = (s == STEP_FROM_RESET) == (i == 0);
				return s;
			}
			moved |= s == STEP_MOVED && directions[i]->state != CLOSED;
		}
		if (pair->in.bytes + pair->out.bytes != before)
			break; /* see to the clock and SIGTERM, then go on */
	} while (moved);
	return moved ? STEP_MOVED : STEP_WAIT;
}

static void report(struct pair *pair, uint64_t now_usec,
		   void (*progress)(const struct forward_counts *counts, void *arg), void *arg)
{
	uint64_t bytes = pair->in.bytes + pair->out.bytes;

	if (!progress || bytes == pair->reported_bytes || now_usec - pair->reported_usec < USEC_PER_SEC)
		return;
	pair->reported_bytes = bytes;
	pair->reported_usec = now_usec;
	progress(&(struct forward_counts){ .in = pair->in.bytes, .out = pair->out.bytes }, arg);
}

/* How long to sleep at most. */
static uint64_t sleep_usec(const struct pair *pair, uint64_t now_usec, uint64_t idle_timeout_usec, bool progress)
{
	uint64_t usec = NO_TIMEOUT;

	if (!pair->settled)
		usec = USEC_PER_SEC;
	if (progress && pair->in.bytes + pair->out.bytes != pair->reported_bytes) {
		uint64_t since_usec = now_usec - pair->reported_usec;

		since_usec = since_usec >= USEC_PER_SEC ? 0 : USEC_PER_SEC - since_usec;
		usec = since_usec < usec ? since_usec : usec;
	}
	if (idle_timeout_usec) {
		uint64_t silent_usec = now_usec - pair->moved_usec;
		uint64_t left = silent_usec >= idle_timeout_usec ? 0 : idle_timeout_usec - silent_usec;

		usec = left < usec ? left : usec;
	}
	return usec;
}

/*
 * A reset that was noticed while giving: what that side has said before, as a node that refuses a big job, is still in
 * its socket, and goes first, as far as the other side takes it now. An end behind it is the reset's, not to be passed.
 */
static void run_last(struct direction *direction)
{
	direction->from->readable = true;
	for (unsigned i = 0; i < LAST_LIMIT && (holds(direction) || direction->state == OPEN); i++)
		if (step(direction) != STEP_MOVED)
			return;
}

/* Notes whose end came first, as long as nobody's has. */
static void note_end(struct pair *pair, bool node_reset)
{
	if (pair->node_first || pair->in.state != OPEN || !(node_reset || pair->out.state != OPEN))
		return;
	pair->node_first = true;
	pair->node_usec = now_boottime() - pair->begun_usec;
}

static enum forward_outcome forward_loop(struct pair *pair, uint64_t idle_timeout_usec,
					 void (*progress)(const struct forward_counts *counts, void *arg), void *arg,
					 int *ret_errno)
{
	pair->begun_usec = pair->reported_usec = pair->moved_usec = now_boottime();

	for (;;) {
		uint64_t before = pair->in.bytes + pair->out.bytes, now_usec;
		struct pollfd fds[2];
		bool client = false;
		enum step s;
		int r;

		s = run_both(pair, &client);
		if (s == STEP_FAILED) {
			*ret_errno = errno;
			return FORWARD_FAILED;
		}
		if (s == STEP_TO_RESET)
			run_last(client ? &pair->in : &pair->out);
		if (s == STEP_FROM_RESET || s == STEP_TO_RESET)
			return client ? FORWARD_CLIENT_RESET : FORWARD_NODE_RESET;
		note_end(pair, false);
		if (pair->in.state == CLOSED && pair->out.state == CLOSED)
			return FORWARD_DONE;

		now_usec = now_boottime();
		if (pair->in.bytes + pair->out.bytes != before)
			pair->moved_usec = now_usec;
		report(pair, now_usec, progress, arg);
		if (!pair->settled && now_usec - pair->begun_usec >= USEC_PER_SEC) {
			pair->settled = true;
			socket_keep_alive(pair->node.fd);
		}
		if (idle_timeout_usec && now_usec - pair->moved_usec >= idle_timeout_usec)
			return FORWARD_IDLE;

		fds[0] = (struct pollfd){ .fd = pair->client.fd, .events = side_events(&pair->in, &pair->out) };
		fds[1] = (struct pollfd){ .fd = pair->node.fd, .events = side_events(&pair->out, &pair->in) };
		if (pair->client.hung_up && !fds[0].events)
			fds[0].fd = -1;
		if (pair->node.hung_up && !fds[1].events)
			fds[1].fd = -1;
		r = sigterm_poll(fds, 2, s == STEP_MOVED ? 0 :
				   sleep_usec(pair, now_usec, idle_timeout_usec, progress != NULL));
		if (r == -EINTR)
			return FORWARD_INTERRUPTED;
		if (r < 0) {
			*ret_errno = -r;
			return FORWARD_FAILED;
		}
		pair->client.readable |= fds[0].revents & (POLLIN | POLLHUP | POLLERR);
		pair->node.readable |= fds[1].revents & (POLLIN | POLLHUP | POLLERR);
		if (!fds[0].events && side_is_reset(&pair->client, fds[0].revents))
			return FORWARD_CLIENT_RESET;
		if (!fds[1].events && side_is_reset(&pair->node, fds[1].revents))
			return FORWARD_NODE_RESET;
		/* Waiting only to give, as in POLLOUT: an error must end it, though reading would show it first. */
		if (fds[0].events == POLLOUT && fds[0].revents & POLLERR && side_is_reset(&pair->client, POLLERR))
			return FORWARD_CLIENT_RESET;
		if (fds[1].events == POLLOUT && fds[1].revents & POLLERR && side_is_reset(&pair->node, POLLERR))
			return FORWARD_NODE_RESET;
	}
}

enum forward_outcome forward(int client_fd, int node_fd, const void *head, size_t size, uint64_t idle_timeout_usec,
			     void (*progress)(const struct forward_counts *counts, void *arg), void *arg,
			     struct forward_counts *ret, int *ret_errno)
{
	/* A client has mostly sent something by now; a node has hardly had the time. */
	struct pair pair = { .client = { .fd = client_fd, .readable = true }, .node.fd = node_fd };
	enum forward_outcome outcome;

	direction_init(&pair.in, &pair.client, &pair.node, &pair.out, buffers[0]);
	direction_init(&pair.out, &pair.node, &pair.client, &pair.in, buffers[1]);
	(void)memcpy(pair.in.buffer, head, size);
	pair.in.used = pair.in.end = size;
	outcome = forward_loop(&pair, idle_timeout_usec, progress, arg, ret_errno);
	note_end(&pair, outcome == FORWARD_NODE_RESET);
	*ret = (struct forward_counts){ .node_first = pair.node_first, .node_usec = pair.node_usec };
	ret->in = pair.in.bytes > size ? pair.in.bytes - size : 0;
	ret->out = pair.out.bytes;
	direction_clear(&pair.in);
	direction_clear(&pair.out);
	return outcome;
}

uint64_t forward_last(int client_fd, int node_fd)
{
	struct pair pair = { .client.fd = client_fd, .node.fd = node_fd };

	direction_init(&pair.out, &pair.node, &pair.client, &pair.in, buffers[1]);
	run_last(&pair.out);
	direction_clear(&pair.out);
	return pair.out.bytes;
}
