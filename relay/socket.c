/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * socket.c: every socket of a relay is set at its creation to be reset by
 * close(2), and so by the death of the relay. Two promises depend on that. When a
 * relay is killed in the middle of an answer, its client must see an error, not an
 * early end that looks like a whole answer. And the node must see the connection
 * end at once, with nothing of it left in flight, because its slot is given to the
 * next client.
 */

#include "socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "congestion.h"
#include "system/timespan.h"

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* Linux 6.15 */
#endif

/* The keepalive asks a silent peer after half of the time, then four times, an eighth of the time apart. */
#define KEEPALIVE_IDLE 2
#define KEEPALIVE_INTERVAL 8
#define KEEPALIVE_COUNT 4
/* The kernel probes a peer that does not read at growing intervals of up to two minutes. This bounds the intervals to
 * this part of the time. */
#define ASK_INTERVAL 4
#define ASK_MAX_MSEC 120000u

static uint64_t vanish_usec = SOCKET_VANISH_USEC;

void socket_set_vanish(uint64_t usec)
{
	vanish_usec = usec;
}

uint64_t socket_vanish_usec(void)
{
	return vanish_usec;
}

static void set_int(int fd, int level, int option, uint64_t value)
{
	int number = (int)value;

	(void)setsockopt(fd, level, option, &number, sizeof(number));
}

void socket_keep_alive(int fd, bool on)
{
	uint64_t ask_msec = vanish_usec / ASK_INTERVAL / 1000;

	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, on);
	if (!on)
		return;
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, vanish_usec / KEEPALIVE_IDLE / USEC_PER_SEC);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, vanish_usec / KEEPALIVE_INTERVAL / USEC_PER_SEC);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
	set_int(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, ask_msec < ASK_MAX_MSEC ? ask_msec : ASK_MAX_MSEC);
}

void socket_no_delay(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void socket_prepare_birth(int fd)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	/* Urgent data is passed in its place, as data: out of line it would be lost, and would stop splice(2). */
	set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

void socket_prepare(int fd)
{
	socket_prepare_birth(fd);
	congestion_apply(fd);
	socket_keep_alive(fd, true);
	socket_no_delay(fd);
}

bool socket_prepare_once(int fd)
{
	struct linger linger = { 0 };
	socklen_t size = sizeof(linger);
	bool inherited = getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff;

	if (!inherited)
		socket_prepare(fd);
	return inherited;
}

void socket_end_clean(int fd)
{
	static const struct linger clean = { 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &clean, sizeof(clean));
}

void socket_end_shared(int fd, bool clean)
{
	static const struct sockaddr none = { .sa_family = AF_UNSPEC };

	/* A unix socket refuses the second call, and cannot be reset. */
	if (clean || (connect(fd, &none, sizeof(none)) < 0 && errno == EINVAL))
		(void)shutdown(fd, SHUT_RDWR);
}

int socket_unconfirmed(int fd)
{
	int n;

	return ioctl(fd, SIOCOUTQ, &n) < 0 ? 0 : n;
}

int socket_pending(int listening_fd)
{
	struct pollfd pollfd = { .fd = listening_fd, .events = POLLIN };
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (poll(&pollfd, 1, 0) == 0)
		return 0;
	/* Of a listening socket these two are the length of the backlog and its limit: tcp_get_info() of Linux. */
	if (getsockopt(listening_fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_unacked == 0)
		return -1;
	return (int)info.tcpi_unacked;
}
