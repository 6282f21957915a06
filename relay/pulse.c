/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * pulse.c: TCP_USER_TIMEOUT would end a connection to a peer that is alive and
 * does not read, so the judgement is made here.
 *
 * A peer owes an acknowledgement while something sent to it is unacknowledged,
 * or while a probe of its closed window is unanswered. The kernel tells when
 * the last acknowledgement of any kind came, but not since when the peer owes the
 * next. So the debt begins when a look finds it: that may be a twelfth of the time
 * late, and never early.
 *
 * Between two probes of a closed window nothing is owed, however long that is.
 * A single unanswered probe may have been lost, so two are needed.
 */

#include "pulse.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "socket.h"

/* From an enum of the kernel that its headers for programs do not have. */
#define STATE_CLOSE 7u
#define STATE_LAST_ACK 9u
#define STATE_CLOSING 11u

#define LOOKS 12u   /* looks within socket_vanish_usec() while something is owed */
#define PROBES_MIN 2u

static bool ask(int fd, struct tcp_info *ret)
{
	socklen_t size = sizeof(*ret);

	*ret = (struct tcp_info){ 0 };
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &size) == 0;
}

uint64_t pulse_first_look_usec(void)
{
	return socket_vanish_usec() / LOOKS;
}

static void lower(uint64_t *look_usec, uint64_t usec)
{
	if (usec < *look_usec)
		*look_usec = usec;
}

bool pulse_has_stopped(struct pulse *pulse, int fd, uint64_t now_usec, uint64_t *look_usec)
{
	uint64_t limit_usec = socket_vanish_usec(), step_usec = limit_usec / LOOKS, ack_usec;
	struct tcp_info info;

	if (!ask(fd, &info) || info.tcpi_state == STATE_CLOSE || (!info.tcpi_unacked && !info.tcpi_notsent_bytes)) {
		pulse->owed_usec = 0;
		return false;
	}
	lower(look_usec, now_usec + step_usec);
	if (!info.tcpi_unacked && !info.tcpi_probes) {
		pulse->owed_usec = 0;
		return false;
	}
	ack_usec = now_usec - (uint64_t)info.tcpi_last_ack_recv * 1000;
	if (!pulse->owed_usec)
		pulse->owed_usec = now_usec;
	if (ack_usec > pulse->owed_usec)
		pulse->owed_usec = ack_usec;
	/* A peer without room drops each retransmission but acknowledges it, and retransmissions may be this far apart.
	 * */
	if (info.tcpi_unacked && limit_usec < info.tcpi_rto + step_usec)
		limit_usec = info.tcpi_rto + step_usec;
	if (now_usec - pulse->owed_usec >= limit_usec)
		return info.tcpi_unacked || info.tcpi_probes >= PROBES_MIN;
	lower(look_usec, pulse->owed_usec + limit_usec);
	return false;
}

uint64_t pulse_traffic(int fd)
{
	struct tcp_info info;
	int unread;

	if (ask(fd, &info))
		return info.tcpi_bytes_acked + info.tcpi_bytes_received;
	/* A unix socket: what the peer has not read, and what we have not. */
	if (ioctl(fd, SIOCINQ, &unread) < 0)
		unread = 0;
	return (uint64_t)unread - (uint64_t)socket_unconfirmed(fd);
}

bool pulse_ended_before_error(int fd, uint64_t taken)
{
	struct tcp_info info;
	int unread;

	/* The kernel counts an end as one byte more. */
	return ask(fd, &info) && ioctl(fd, SIOCINQ, &unread) == 0 &&
	       info.tcpi_bytes_received > taken + (uint64_t)unread;
}

bool pulse_is_read(int fd, uint64_t taken, bool *ret_closed)
{
	struct tcp_info info;

	if (!ask(fd, &info))
		return false;
	*ret_closed = info.tcpi_state == STATE_CLOSE;
	return info.tcpi_bytes_received == taken + 1; /* the end */
}

uint64_t pulse_round_trip_usec(int fd)
{
	struct tcp_info info;

	return ask(fd, &info) ? info.tcpi_rtt : 0;
}

bool pulse_is_closed(int fd)
{
	struct tcp_info info;

	return !ask(fd, &info) || info.tcpi_state == STATE_CLOSE;
}

bool pulse_is_ending(int fd)
{
	struct tcp_info info;

	return ask(fd, &info) && (info.tcpi_state == STATE_LAST_ACK || info.tcpi_state == STATE_CLOSING);
}
