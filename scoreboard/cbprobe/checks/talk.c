/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "talk.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "checkup.h"
#include "connect.h"
#include "conversation.h"
#include "system/proxy_header.h"

/* The talk cannot go on. */
static enum outcome lost(struct probe *probe, enum node_reason reason, const char *detail)
{
	const struct check *check = probe->checkup->check;

	connect_close(probe);
	if (check->lost)
		return check->lost(probe, reason, detail);
	return probe_fail(probe, reason, "%s", detail ? detail : "");
}

static enum outcome lost_by_errno(struct probe *probe, int error)
{
	enum node_reason reason = reason_from_errno(error);

	return lost(probe, reason, reason == REASON_CONNECT_FAILED ? strerror(error) : NULL);
}

enum outcome talk_listen(struct probe *probe, uint64_t deadline_usec)
{
	probe->state = PROBE_RECV;
	probe->events = EPOLLIN | EPOLLRDHUP;
	probe->deadline_usec = deadline_usec;
	return OUTCOME_PENDING;
}

/* Sends what is left. */
static enum outcome send_more(struct probe *probe, uint64_t deadline_usec)
{
	const struct check *check = probe->checkup->check;
	struct conversation *talk = probe->talk;

	while (talk->sent < talk->query_size) {
		ssize_t n = send(probe->fd, (const char *)talk->query + talk->sent, talk->query_size - talk->sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return OUTCOME_PENDING;
		if (n < 0)
			return lost_by_errno(probe, errno);
		talk->sent += (size_t)n;
	}
	return check->sent ? check->sent(probe, deadline_usec) : talk_listen(probe, deadline_usec);
}

enum outcome talk_send(struct probe *probe, const void *bytes, size_t size, uint64_t deadline_usec)
{
	struct conversation *talk = probe->talk;

	talk->query = bytes;
	talk->query_size = size;
	talk->sent = 0;
	probe->state = PROBE_QUERY;
	probe->events = EPOLLOUT;
	probe->deadline_usec = deadline_usec;
	return send_more(probe, deadline_usec);
}

/*
 * Sends the PROXY header, if the node expects it: version 2 has a word for checks;
 * version 1 names the true pair of addresses. A new connection has room for the
 * header, so it goes at once and as a whole. 0 or -errno.
 */
static int send_header(const struct probe *probe)
{
	struct sockaddr_storage here = { 0 }, there = { 0 };
	socklen_t here_size = sizeof(here), there_size = sizeof(there);
	unsigned char header[PROXY_HEADER_MAX];
	size_t size;

	if (probe->proxy == PROXY_V1 &&
	    (getsockname(probe->fd, (struct sockaddr *)&here, &here_size) < 0 ||
	     getpeername(probe->fd, (struct sockaddr *)&there, &there_size) < 0))
		return -errno;
	size = proxy_header_write(probe->proxy, (const struct sockaddr *)&here, (const struct sockaddr *)&there, NULL,
				  header);
	return size == 0 || send(probe->fd, header, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -errno;
}

/* The connection is open. */
static enum outcome open_talk(struct probe *probe, uint64_t deadline_usec)
{
	static const struct linger off = { 0 };
	const int on = 1;
	int r;

	/* Undoes what connect.c did to hide the connection from the node: now the node is to see it. */
	(void)setsockopt(probe->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	/* With a slot, however, close(2) stays a reset: the slot goes to the next client, so the connection must end at
	 * the node, too. */
	if (!probe->talk->has_slot)
		(void)setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	(void)setsockopt(probe->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = probe->connect_port == 0 ? send_header(probe) : 0; /* only the node itself expects a header */
	return r < 0 ? lost_by_errno(probe, -r) : probe->checkup->check->opened(probe, deadline_usec);
}

/* Makes a single read for each event, so that a node which never stops sending holds up no other node. */
static enum outcome receive(struct probe *probe, uint64_t deadline_usec)
{
	struct conversation *talk = probe->talk;
	enum outcome outcome;
	ssize_t n;

	n = recv(probe->fd, talk->data + talk->received, sizeof(talk->data) - talk->received, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? OUTCOME_PENDING : lost_by_errno(probe, errno);
	talk->received += (size_t)n;
	talk->ended = n == 0;
	outcome = probe->checkup->check->heard(probe, deadline_usec);
	if (outcome != OUTCOME_PENDING)
		return outcome;
	/* The check wants more. */
	if (talk->ended)
		return lost(probe, REASON_CLOSED, NULL);
	if (talk->received == sizeof(talk->data))
		return lost(probe, REASON_TOO_LONG, NULL);
	return OUTCOME_PENDING;
}

enum outcome talk_ready(struct probe *probe, uint64_t deadline_usec)
{
	enum outcome outcome;

	switch (probe->state) {
	case PROBE_QUERY:
		outcome = send_more(probe, deadline_usec);
		break;
	case PROBE_RECV:
		outcome = receive(probe, deadline_usec);
		break;
	default:
		outcome = connect_ready(probe, deadline_usec);
		if (outcome == OUTCOME_UP)
			outcome = open_talk(probe, deadline_usec);
		break;
	}
	if (outcome != OUTCOME_PENDING)
		connect_close(probe);
	return outcome;
}

enum outcome talk_expired(struct probe *probe, uint64_t deadline_usec)
{
	if (probe->state == PROBE_QUERY || probe->state == PROBE_RECV)
		return lost(probe, REASON_NO_ANSWER, NULL);
	return connect_expired(probe, deadline_usec);
}
