/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * forward.c: two directions, independent of each other.
 *
 * A direction takes bytes from a socket, its source, and gives them to the other
 * socket, its destination. A direction holds some bytes or none. That alone
 * decides what poll(2) is asked for: with content, wait until the destination
 * takes bytes; without, wait until the source has bytes. A direction that holds
 * content takes no more: so back-pressure passes through. When the source has
 * ended and nothing is held, the direction ends its destination (a half-close);
 * the other direction is not touched.
 *
 * An error of a socket ends both directions, unless its side had ended before.
 * Then all that the side had to say is in this process or in the socket, and is
 * passed to the other side up to its end. Only what the other side says has no
 * destination any more. It is read and dropped, as a node that cannot write would
 * not go on reading. When the rest is delivered, the other side is told by a reset.
 *
 * The keepalive asks a side only while the side has not ended. A machine forgets
 * a socket a minute after its process has closed it, and would then answer the
 * keepalive with a reset.
 *
 * The first bytes are copied through a buffer. When reads fill the buffer twice in
 * a row, the direction is a big flow and goes on through a pipe with splice(2),
 * which costs a quarter of the copying. Short flows never pay for the pipe. (Copy
 * only, and splice only, were both measured: copying is worse for big flows,
 * splicing for short ones.)
 */

#include "forward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "delivery.h"
#include "pulse.h"
#include "sigterm.h"
#include "sleep.h"
#include "socket.h"
#include "system/spare.h"
#include "system/timespan.h"

#define BUFFER_SIZE OPENING_ROOM
#define PIPE_SIZE (1 << 20)
#define FULL_READS 2u         /* full buffers in a row that make a flow big */
#define TURN_LIMIT 16u        /* moves of a direction before the other direction has its turn */
#define LAST_LIMIT 4096u      /* moves after a reset: more than the kernel can hold */
#define LAST_USEC USEC_PER_SEC
#define LAST_PAUSE_MIN_USEC 500u
#define LAST_PAUSE_MAX_USEC 50000u

/* What the node says; opening_buffer() has what the client says. Pages that are never used cost nothing. */
static _Alignas(4096) unsigned char from_node[BUFFER_SIZE];

/* A socket, and what is known of it. */
struct side {
	int fd;
	bool readable;            /* there may be something to read; false: poll(2) must say so first */
	bool hung_up;             /* reported a hang-up: polled only while it has events to wait for */
	bool failed;              /* had an error after its end: read up to that end, and not polled */
	bool is_node;             /* is TCP; a client's socket may be another */
	bool told_end;            /* of a node, poll(2) has told the end: a read that leaves room has come to it */
	bool told_both;           /* poll(2) has told both ends: the node may have confirmed this side's */
	bool confirmed;           /* the node has confirmed this side's end: the kernel is done with the connection */
	bool no_delay;            /* has TCP_NODELAY */
	bool kept_alive;          /* has the keepalive */
	struct pulse pulse;
};

struct direction {
	struct side *from, *to;
	const struct direction *back; /* the other direction */
	enum { OPEN, ENDED, CLOSED } state; /* ENDED: the source has ended; CLOSED: passed on */
	unsigned char *buffer;    /* of BUFFER_SIZE */
	size_t start, end;        /* what the buffer holds */
	size_t used;              /* the most that the buffer ever held */
	int pipe[2];              /* -1: none */
	size_t piped;             /* what the pipe holds */
	unsigned full_reads;
	bool splice_refused;      /* this pair of sockets cannot be spliced */
	bool dropping;            /* the destination has failed: what is taken is dropped */
	uint64_t taken;           /* bytes read from the source */
	uint64_t bytes;           /* bytes written to the destination */
};

/* How a step of a direction went. */
enum step {
	STEP_MOVED,               /* something moved; try again */
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

/* Passes the end of the source to the destination: now, or by the coming close(2) if the other direction has ended. */
static enum step pass_end(struct direction *direction)
{
	direction->state = CLOSED;
	if (direction->back->state == CLOSED && !direction->back->dropping)
		return STEP_WAIT;
	if (shutdown(direction->to->fd, SHUT_WR) < 0 && errno != ENOTCONN)
		return step_errno(false);
	/* The reset of a destination shows when that socket is next read or polled. */
	return STEP_MOVED;
}

static enum step give(struct direction *direction)
{
	ssize_t n;

	/* The first bytes go out at once in any case. The bytes behind them must not wait for an acknowledgement of the
	 * first. */
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

/* From now on the direction uses a pipe, unless none can be made. */
static void become_big(struct direction *direction)
{
	if (pipe2(direction->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		direction->pipe[0] = direction->pipe[1] = -1;
		direction->splice_refused = true;
		return;
	}
	/* If the system does not allow that size, the pipe stays at 64 kB: slower, not wrong. */
	(void)fcntl(direction->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
}

static enum step take_copied(struct direction *direction);

static enum step take_spliced(struct direction *direction)
{
	ssize_t n = splice(direction->from->fd, NULL, direction->pipe[1], NULL, PIPE_SIZE,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0) {
		direction->piped = (size_t)n;
		direction->taken += (uint64_t)n;
		return STEP_MOVED;
	}
	if (n < 0 && (errno == EINVAL || errno == ENOSYS)) {
		direction->splice_refused = true;
		return STEP_MOVED;
	}
	/*
	 * The source has ended or has nothing now, or splice(2) stands before an urgent
	 * byte: splice(2) reports that in the same two ways, and only recv(2) gets past it.
	 */
	return n == 0 || errno == EAGAIN ? take_copied(direction) : step_errno(true);
}

/* Reads into the empty buffer. */
static enum step take(struct direction *direction)
{
	struct side *from = direction->from;
	ssize_t n;

	/* The same question tells whether there is something to read, and whether the node has confirmed our end. */
	if (from->told_both && pulse_is_read(from->fd, direction->taken, &from->confirmed))
		n = 0;
	else
		n = recv(from->fd, direction->buffer, BUFFER_SIZE, MSG_DONTWAIT);
	from->readable = n == BUFFER_SIZE || from->failed;
	if (n < 0)
		return step_errno(true);
	if (n == 0 || (from->told_end && n < BUFFER_SIZE))
		direction->state = ENDED;
	if (n == 0)
		return STEP_MOVED;
	direction->end = (size_t)n;
	direction->taken += (uint64_t)n;
	if (direction->used < direction->end)
		direction->used = direction->end;
	return STEP_MOVED;
}

static enum step take_copied(struct direction *direction)
{
	enum step s = take(direction);
	size_t n = direction->end;

	if (s != STEP_MOVED || direction->state == ENDED)
		return s;
	direction->full_reads = n == BUFFER_SIZE ? direction->full_reads + 1 : 0;
	if (direction->full_reads == FULL_READS && direction->pipe[0] < 0 && !direction->splice_refused)
		become_big(direction);
	return STEP_MOVED;
}

/* A step of a direction after its destination has failed. */
static enum step drop(struct direction *direction)
{
	enum step s;

	if (direction->state == ENDED) {
		direction->state = CLOSED;
		return STEP_MOVED;
	}
	if (direction->state == CLOSED || !direction->from->readable)
		return STEP_WAIT;
	s = take(direction);
	direction->end = 0;
	return s;
}

static enum step step(struct direction *direction)
{
	if (direction->dropping)
		return drop(direction);
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

/* Moves bytes as far as possible now, within the direction's turn. */
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
	uint64_t begun_usec, node_usec, reported_bytes, reported_usec;
	uint64_t look_usec;       /* when to look whether a peer has vanished; NO_TIMEOUT: nothing is owed */
	uint64_t sample_usec, moved_usec, traffic; /* idle timeout: next look at the kernels, and what was seen */
	bool settled;             /* has lasted long enough for the keepalive to matter */
	bool node_first;          /* as in struct forward_counts */
};

static void direction_init(struct direction *direction, struct side *from, struct side *to,
			   const struct direction *back, unsigned char *buffer)
{
	*direction = (struct direction){ .from = from, .to = to, .back = back, .buffer = buffer, .pipe = { -1, -1 } };
}

static void direction_clear(struct direction *direction)
{
	/* A client's bytes must not be in memory while the next client is served. */
	explicit_bzero(direction->buffer, direction->used);
	if (direction->pipe[0] >= 0) {
		(void)close(direction->pipe[0]);
		(void)close(direction->pipe[1]);
	}
}

/* What to wait for on a side: from is the direction that takes from the side, to the direction that gives to it. */
static short side_events(const struct direction *from, const struct direction *to)
{
	short events = 0;

	if (from->state == OPEN && !holds(from))
		events |= POLLIN | POLLRDHUP | POLLPRI;
	if (holds(to))
		events |= POLLOUT;
	return events;
}

/* The bytes that have been moved in any way. */
static uint64_t pair_work(const struct pair *pair)
{
	return pair->in.taken + pair->in.bytes + pair->out.taken + pair->out.bytes;
}

/*
 * A side had an error. true: the side's own end came before the error: the
 * direction from the side goes on, and the direction to the side drops its bytes
 * from now on. false: the connection is over.
 */
static bool side_outlives_error(struct side *side, const struct direction *from, struct direction *to)
{
	if (from->state == OPEN && !pulse_ended_before_error(side->fd, from->taken))
		return false;
	side->failed = side->readable = true;
	to->dropping = true;
	to->start = to->end = to->piped = 0;
	return true;
}

static bool client_outlives_error(struct pair *pair)
{
	return side_outlives_error(&pair->client, &pair->in, &pair->out);
}

static bool node_outlives_error(struct pair *pair)
{
	return side_outlives_error(&pair->node, &pair->out, &pair->in);
}

/* Handles an error or hang-up on a side that was polled for no event. true: it was an error. */
static bool side_has_error(struct side *side, short revents)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (!(revents & (POLLERR | POLLHUP)))
		return false;
	if (getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
		return true;
	/* Both directions of this socket have ended; the bytes still held are for the other side. */
	side->hung_up = true;
	return false;
}

/* Runs both directions as far as possible. STEP_WAIT, or the step that ended the connection; *ret_client tells on which
 * side. */
static enum step run_both(struct pair *pair, bool *ret_client)
{
	struct direction *const directions[] = { &pair->in, &pair->out };
	bool moved;

	do {
		uint64_t before = pair_work(pair);

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
		if (pair_work(pair) != before)
			break; /* see to the clock and SIGTERM, then go on */
	} while (moved);
	return moved ? STEP_MOVED : STEP_WAIT;
}

static void report(struct pair *pair, uint64_t now_usec, const struct forward_calls *calls)
{
	uint64_t bytes = pair->in.bytes + pair->out.bytes;

	if (bytes == pair->reported_bytes || now_usec - pair->reported_usec < USEC_PER_SEC)
		return;
	pair->reported_bytes = bytes;
	pair->reported_usec = now_usec;
	calls->progress(&(struct forward_counts){ .in = pair->in.bytes, .out = pair->out.bytes }, calls->arg);
}

static void earlier(uint64_t *usec, uint64_t other_usec)
{
	if (other_usec < *usec)
		*usec = other_usec;
}

/* How long to sleep at most. */
static uint64_t sleep_usec(const struct pair *pair, uint64_t now_usec)
{
	uint64_t usec = pair->look_usec;

	if (!pair->settled)
		earlier(&usec, pair->begun_usec + USEC_PER_SEC);
	if (pair->in.bytes + pair->out.bytes != pair->reported_bytes)
		earlier(&usec, pair->reported_usec + USEC_PER_SEC);
	earlier(&usec, pair->sample_usec);
	return usec == NO_TIMEOUT ? NO_TIMEOUT : usec > now_usec ? usec - now_usec : 0;
}

/* Gives memory back, if the direction has nothing in it now. */
static void spare_buffer(struct direction *direction)
{
	if (direction->start < direction->end)
		return;
	explicit_bzero(direction->buffer, direction->used);
	spare_bytes(direction->buffer, BUFFER_SIZE);
	direction->used = 0;
}

/* The connection lasts longer than most, and most that do are idle for long: their processes keep little memory. */
static void settle(struct pair *pair, const struct forward_calls *calls)
{
	pair->settled = true;
	spare_buffer(&pair->in);
	spare_buffer(&pair->out);
	calls->settled(calls->arg);
	spare_stack();
}

/* Keeps the keepalive on for the sides that have not ended. A connection of less than a second needs none. */
static void mind_keepalive(struct pair *pair)
{
	const bool wanted[] = { pair->in.state == OPEN, pair->out.state == OPEN };
	struct side *const sides[] = { &pair->client, &pair->node };

	for (unsigned i = 0; i < 2; i++) {
		if (sides[i]->kept_alive != wanted[i])
			socket_keep_alive(sides[i]->fd, wanted[i]);
		sides[i]->kept_alive = wanted[i];
	}
}

/* Whether nothing has moved between the peers and this machine for the idle timeout, or a quarter of it longer. */
static bool is_idle(struct pair *pair, uint64_t now_usec, uint64_t idle_timeout_usec)
{
	uint64_t traffic;

	if (now_usec < pair->sample_usec)
		return false;
	traffic = pulse_traffic(pair->client.fd) + pulse_traffic(pair->node.fd);
	if (traffic != pair->traffic)
		pair->moved_usec = now_usec;
	pair->traffic = traffic;
	pair->sample_usec = now_usec + (idle_timeout_usec + 3) / 4;
	return now_usec - pair->moved_usec >= idle_timeout_usec;
}

/* Whether the machine of a side has vanished, and the connection is over by that. */
static bool has_vanished(struct pair *pair, uint64_t now_usec, enum forward_outcome *ret)
{
	bool client, node;

	if (now_usec < pair->look_usec)
		return false;
	pair->look_usec = NO_TIMEOUT;
	client = !pair->client.failed && pulse_has_stopped(&pair->client.pulse, pair->client.fd, now_usec, &pair->look_usec);
	node = !pair->node.failed && pulse_has_stopped(&pair->node.pulse, pair->node.fd, now_usec, &pair->look_usec);
	*ret = node ? FORWARD_NODE_VANISHED : FORWARD_CLIENT_VANISHED;
	return (node && !node_outlives_error(pair)) || (client && !client_outlives_error(pair));
}

/*
 * Giving to a side found its reset. What the side said before the reset (a node's refusal of a big job, say) is still
 * in its socket, and is passed first, as far as the other side takes it now. An end that is read behind those bytes is
 * the reset's, and is not passed.
 */
static void run_last(struct direction *direction)
{
	direction->from->readable = true;
	for (unsigned i = 0; i < LAST_LIMIT && (holds(direction) || direction->state == OPEN); i++)
		if (step(direction) != STEP_MOVED)
			return;
}

/*
 * The node has reset the connection. What the node said before goes to the client. The reset follows when the client's
 * machine has all of that, or has taken nothing for a while.
 */
static void run_last_to_client(struct direction *out)
{
	uint64_t taken_usec = now_boottime(), pause_usec = LAST_PAUSE_MIN_USEC;
	int before = -1, now;

	for (;;) {
		run_last(out);
		now = socket_unconfirmed(out->to->fd);
		if ((now == 0 && !holds(out)) || pulse_is_closed(out->to->fd))
			return;
		if (now != before)
			taken_usec = now_boottime();
		if (now_boottime() - taken_usec >= LAST_USEC || sleep_poll(NULL, 0, pause_usec) < 0)
			return;
		before = now;
		if (pause_usec < LAST_PAUSE_MAX_USEC)
			pause_usec *= 2;
	}
}

/* The outcome of a connection that ended by a reset; in_giving: the reset was found while giving to that side. */
static enum forward_outcome reset_outcome(struct pair *pair, bool client, bool in_giving)
{
	if (!client)
		run_last_to_client(&pair->out);
	else if (in_giving)
		run_last(&pair->in);
	return client ? FORWARD_CLIENT_RESET : FORWARD_NODE_RESET;
}

/* Whether there is nothing left to do; *ret says how it ended. */
static bool is_over(const struct pair *pair, enum forward_outcome *ret)
{
	const struct direction *in = &pair->in, *out = &pair->out;

	*ret = in->dropping ? FORWARD_NODE_RESET : out->dropping ? FORWARD_CLIENT_RESET : FORWARD_DONE;
	return (in->dropping || in->state == CLOSED) && (out->dropping || out->state == CLOSED);
}

/* Notes which side ended first, if that is not known yet. */
static void note_end(struct pair *pair, bool node_reset)
{
	if (pair->node_first || pair->in.state != OPEN || !(node_reset || pair->out.state != OPEN))
		return;
	pair->node_first = true;
	pair->node_usec = now_boottime() - pair->begun_usec;
}

/* What poll(2) found of a side. false: the connection is over. */
static bool take_events(struct side *side, const struct direction *from, struct direction *to, short events, short revents)
{
	side->readable |= revents & (POLLIN | POLLHUP | POLLERR);
	/* A read stops before an urgent byte, and after an error what was told may not be so. */
	if (side->is_node && !(revents & (POLLPRI | POLLERR))) {
		side->told_end |= revents & POLLRDHUP;
		side->told_both |= revents & POLLHUP;
	}
	/* The side was polled only for POLLOUT: its error counts now, although a read would show what came before the
	 * error. */
	if (!events || (events == POLLOUT && revents & POLLERR))
		return !side_has_error(side, events ? POLLERR : revents) || side_outlives_error(side, from, to);
	return true;
}

static enum forward_outcome forward_loop(struct pair *pair, uint64_t idle_timeout_usec, const struct forward_calls *calls,
					 int *ret_errno)
{
	enum forward_outcome outcome;

	pair->begun_usec = pair->reported_usec = pair->moved_usec = now_boottime();
	pair->look_usec = pair->in.bytes > 0 ? pair->begun_usec + pulse_first_look_usec() : NO_TIMEOUT;
	pair->sample_usec = idle_timeout_usec ? pair->begun_usec : NO_TIMEOUT;

	for (;;) {
		uint64_t given = pair->in.bytes + pair->out.bytes, now_usec;
		unsigned open = (pair->in.state != CLOSED) + (pair->out.state != CLOSED);
		struct pollfd fds[2];
		bool client = false;
		enum step s;
		int r;

		s = run_both(pair, &client);
		if (s == STEP_FAILED) {
			*ret_errno = errno;
			return FORWARD_FAILED;
		}
		if (s == STEP_TO_RESET && (client ? client_outlives_error(pair) : node_outlives_error(pair)))
			s = STEP_MOVED;
		if (s == STEP_FROM_RESET || s == STEP_TO_RESET)
			return reset_outcome(pair, client, s == STEP_TO_RESET);
		note_end(pair, false);
		if (is_over(pair, &outcome))
			return outcome;

		now_usec = now_boottime();
		if (pair->look_usec == NO_TIMEOUT &&
		    (pair->in.bytes + pair->out.bytes != given || (pair->in.state != CLOSED) + (pair->out.state != CLOSED) != (int)open))
			pair->look_usec = now_usec + pulse_first_look_usec();
		report(pair, now_usec, calls);
		if (!pair->settled && now_usec - pair->begun_usec >= USEC_PER_SEC)
			settle(pair, calls);
		if (pair->settled)
			mind_keepalive(pair);
		if (has_vanished(pair, now_usec, &outcome))
			return outcome;
		if (is_idle(pair, now_usec, idle_timeout_usec))
			return FORWARD_IDLE;

		fds[0] = (struct pollfd){ .fd = pair->client.fd, .events = side_events(&pair->in, &pair->out) };
		fds[1] = (struct pollfd){ .fd = pair->node.fd, .events = side_events(&pair->out, &pair->in) };
		if (pair->client.failed || (pair->client.hung_up && !fds[0].events))
			fds[0].fd = -1;
		if (pair->node.failed || (pair->node.hung_up && !fds[1].events))
			fds[1].fd = -1;
		r = sleep_poll(fds, 2, s == STEP_MOVED ? 0 : sleep_usec(pair, now_usec));
		if (r == -EINTR)
			return FORWARD_INTERRUPTED;
		if (r < 0) {
			*ret_errno = -r;
			return FORWARD_FAILED;
		}
		if (!take_events(&pair->client, &pair->in, &pair->out, fds[0].events, fds[0].revents))
			return reset_outcome(pair, true, false);
		if (!take_events(&pair->node, &pair->out, &pair->in, fds[1].events, fds[1].revents))
			return reset_outcome(pair, false, false);
	}
}

/* How a side failed after its end: a machine that vanished, and has acknowledged nothing since, answers no question. */
static enum forward_outcome failure(struct side *side, enum forward_outcome reset, enum forward_outcome vanished)
{
	uint64_t look_usec = NO_TIMEOUT;

	return pulse_has_stopped(&side->pulse, side->fd, now_boottime(), &look_usec) ? vanished : reset;
}

/*
 * A side has failed after its end, and all that it said has been given to the other side: waits until the other
 * side's machine has it. Returns how the side failed, or what else ended the wait.
 */
static enum forward_outcome deliver_rest(struct pair *pair, bool to_client, uint64_t idle_timeout_usec)
{
	if (pair->in.dropping && pair->out.dropping)
		return to_client ? FORWARD_NODE_RESET : FORWARD_CLIENT_RESET;
	switch (delivery_await(to_client ? pair->client.fd : pair->node.fd, idle_timeout_usec)) {
	case -EINTR:
		return FORWARD_INTERRUPTED;
	case -ETIME:
		return FORWARD_IDLE;
	case -ETIMEDOUT:
		return to_client ? FORWARD_CLIENT_VANISHED : FORWARD_NODE_VANISHED;
	default:
		return to_client ? failure(&pair->node, FORWARD_NODE_RESET, FORWARD_NODE_VANISHED)
				 : failure(&pair->client, FORWARD_CLIENT_RESET, FORWARD_CLIENT_VANISHED);
	}
}

/* How many of the bytes that a socket has taken are at the peer's machine, where the connection did not end well. */
static uint64_t arrived(int fd, const struct direction *direction)
{
	uint64_t missing = (uint64_t)socket_unconfirmed(fd);

	if (missing > 0 && direction->state == CLOSED && !direction->dropping)
		missing--; /* the end */
	return direction->bytes > missing ? direction->bytes - missing : 0;
}

/* The direction from the client begins with what was read before, behind the head. */
static void begin_in(struct pair *pair, const struct opening *opening, const void *head, size_t size)
{
	struct direction *in = &pair->in;

	direction_init(in, &pair->client, &pair->node, &pair->out, opening_buffer());
	(void)memmove(in->buffer + size, in->buffer, opening->held);
	(void)memcpy(in->buffer, head, size);
	in->used = size + opening->held;
	in->taken = opening->before + opening->held;
	in->bytes = opening->sent;
	if (opening->sent < in->used) {
		in->start = opening->sent;
		in->end = in->used;
	}
}

enum forward_outcome forward(int client_fd, int node_fd, struct opening *opening, const void *head, size_t size,
			     uint64_t idle_timeout_usec, const struct forward_calls *calls, struct forward_counts *ret,
			     int *ret_errno)
{
	/* Most clients have sent something by now; nearly no node has had the time. */
	struct pair pair = {
		.client = { .fd = client_fd, .readable = !opening->is_empty, .kept_alive = true },
		.node = { .fd = node_fd, .is_node = true },
	};
	enum forward_outcome outcome = FORWARD_CLIENT_RESET;

	begin_in(&pair, opening, head, size);
	direction_init(&pair.out, &pair.node, &pair.client, &pair.in, from_node);
	if (!opening->error)
		outcome = forward_loop(&pair, idle_timeout_usec, calls, ret_errno);
	note_end(&pair, outcome == FORWARD_NODE_RESET);
	if ((outcome == FORWARD_CLIENT_RESET && pair.out.dropping) || (outcome == FORWARD_NODE_RESET && pair.in.dropping))
		outcome = deliver_rest(&pair, outcome == FORWARD_NODE_RESET, idle_timeout_usec);
	*ret = (struct forward_counts){ .node_first = pair.node_first, .node_usec = pair.node_usec };
	ret->in = outcome == FORWARD_DONE ? pair.in.bytes : arrived(node_fd, &pair.in);
	ret->in = ret->in > size ? ret->in - size : 0;
	ret->out = outcome == FORWARD_DONE ? pair.out.bytes : arrived(client_fd, &pair.out);
	ret->confirmed = pair.node.confirmed;
	direction_clear(&pair.in);
	direction_clear(&pair.out);
	*opening = (struct opening){ 0 };
	return outcome;
}

uint64_t forward_last(int client_fd, int node_fd)
{
	struct pair pair = { .client.fd = client_fd, .node.fd = node_fd };

	direction_init(&pair.out, &pair.node, &pair.client, &pair.in, from_node);
	run_last_to_client(&pair.out);
	direction_clear(&pair.out);
	return arrived(client_fd, &pair.out);
}
