/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * connect.c: connects, and judges why a connect failed.
 *
 * A node counts its connections, and a farm never opens more connections to a node
 * than the node has cores. A probe's connection must not come on top of them. So
 * the probe never finishes the handshake: without TCP_QUICKACK Linux keeps the last
 * packet of the handshake back for a moment, since data could soon carry it. The
 * node's answer has been seen by then, and closing without SO_LINGER's wait sends a
 * reset instead of that packet: the node's kernel forgets the connection, and its
 * program never hears of it. (HAProxy found this.) If the packet goes out after
 * all, because this process was stopped just then, the node sees a connection that
 * is reset at once, before the node could read a byte. Nothing stays behind in
 * TIME_WAIT either.
 *
 * A check that goes on talking sends data, or sets TCP_QUICKACK again.
 */

#include "connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is at fault for a failure. If several addresses failed, the fault later in this list tells more. */
enum fault {
	FAULT_NONE,
	FAULT_ADDRESS, /* ours: no address, or no port any more, to connect from */
	FAULT_PATH,    /* ours or the node's: nothing could be sent */
	FAULT_NODE,
};

static enum fault fault_from_errno(int error)
{
	switch (error) {
	case EADDRNOTAVAIL:
	case EAGAIN:
		return FAULT_ADDRESS;
	case ENETUNREACH:
	case ENETDOWN:
	case EAFNOSUPPORT:
	case EPERM:
	case EACCES:
		return FAULT_PATH;
	default:
		return FAULT_NODE;
	}
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The epoll instance that descriptors of probes are in. */
static int watcher = -1;

void connect_watched_by(int epoll_fd)
{
	watcher = epoll_fd;
}

void connect_close(struct probe *probe)
{
	/* close(2) alone leaves the descriptor in epoll while a command that is just being started has a copy. */
	if (probe->fd >= 0 && probe->watched)
		(void)epoll_ctl(watcher, EPOLL_CTL_DEL, probe->fd, NULL);
	if (probe->fd >= 0)
		(void)close(probe->fd);
	probe->fd = -1;
	probe->events = probe->watched = 0;
}

/* The present address has failed; its error is kept if it tells more than the errors before. */
static void address_failed(struct probe *probe, int error)
{
	enum fault fault = fault_from_errno(error);

	connect_close(probe);
	if (fault > probe->fault) {
		probe->fault = (uint8_t)fault;
		probe->error = error;
	}
	probe->address++;
}

static enum outcome all_failed(struct probe *probe)
{
	enum node_reason reason = reason_from_errno(probe->error);

	(void)probe_fail(probe, reason, "%s", reason == REASON_CONNECT_FAILED ? strerror(probe->error) : "");
	switch ((enum fault)probe->fault) {
	case FAULT_NODE:
		return OUTCOME_DOWN;
	case FAULT_PATH:
		return OUTCOME_UNREACHED;
	default:
		return OUTCOME_UNABLE;
	}
}

static void set_port(struct score_address *address, uint16_t port)
{
	if (address->sa.sa_family == AF_INET)
		address->in.sin_port = htons(port);
	else
		address->in6.sin6_port = htons(port);
}

enum outcome connect_failed(struct probe *probe, int error)
{
	if (is_shortage(error)) {
		probe->error = error;
		return OUTCOME_LATER;
	}
	address_failed(probe, error);
	return all_failed(probe);
}

/* Begins to connect to the present address. 0: the connect is under way or done; or -errno. */
static int open_connection(struct probe *probe)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct score_address address = probe->addresses[probe->address];
	const int off = 0;

	if (probe->connect_port)
		set_port(&address, probe->connect_port);
	probe->fd = socket(address.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (probe->fd < 0)
		return -errno;
	/* Without these options a probe works as well, but the node may notice it. */
	(void)setsockopt(probe->fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
	(void)setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (connect(probe->fd, &address.sa, address.size) < 0 && errno != EINPROGRESS && errno != EINTR)
		return -errno;
	return 0;
}

enum outcome connect_start(struct probe *probe, uint64_t deadline_usec)
{
	for (; probe->address < probe->n_addresses;) {
		int r = open_connection(probe);

		if (r == 0) {
			probe->state = PROBE_CONRESULT;
			probe->events = EPOLLOUT;
			probe->deadline_usec = deadline_usec;
			return OUTCOME_PENDING;
		}
		if (is_shortage(-r)) {
			connect_close(probe);
			probe->error = -r;
			return OUTCOME_LATER;
		}
		address_failed(probe, -r);
	}
	return all_failed(probe);
}

/* Whether a socket is connected to itself: the kernel may give a port of this machine on which no process listens to
 * the very socket that connects to it. */
static bool is_connected_to_itself(int fd)
{
	struct sockaddr_storage here = { 0 }, there = { 0 };
	socklen_t here_size = sizeof(here), there_size = sizeof(there);

	return getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 &&
	       getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 &&
	       here_size == there_size && memcmp(&here, &there, here_size) == 0;
}

enum outcome connect_ready(struct probe *probe, uint64_t deadline_usec)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0 && is_connected_to_itself(probe->fd))
		error = ECONNREFUSED;
	if (error == 0)
		return OUTCOME_UP;
	address_failed(probe, error);
	return connect_start(probe, deadline_usec);
}

enum outcome connect_expired(struct probe *probe, uint64_t deadline_usec)
{
	address_failed(probe, ETIMEDOUT);
	return connect_start(probe, deadline_usec);
}
