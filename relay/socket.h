/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * socket.h: what a relay sets on its sockets, and asks of them. A socket that
 * is not TCP has none of the options: setting an option has no effect there.
 */

#include <stdbool.h>
#include <stdint.h>

#define SOCKET_VANISH_USEC 120000000u   /* the default of socket_set_vanish() */
#define SOCKET_VANISH_MIN_USEC 8000000u
#define SOCKET_VANISH_MAX_USEC 3600000000u

/*
 * Sets how long a peer's machine may leave everything unanswered before it counts
 * as vanished, for the whole process, in microseconds, from SOCKET_VANISH_MIN_USEC
 * to SOCKET_VANISH_MAX_USEC. The keepalive and pulse.h go by it. To be called before
 * the first socket_prepare().
 */
void socket_set_vanish(uint64_t usec);

/* That time, in microseconds. */
uint64_t socket_vanish_usec(void);

/* For a socket that is about to be connected: close(2), and so the death of the process, resets the connection (see
 * socket_end_clean()); urgent data comes in line. */
void socket_prepare_birth(int fd);

/* For an accepted socket, or a listening socket (accepted sockets inherit all of it): the same, and the congestion
 * control, the keepalive, and no delay. */
void socket_prepare(int fd);

/* socket_prepare(), unless the accepted socket has inherited all of it. true: it has. A connection that came before the
 * listening socket was prepared has not. A backlog is in the order of arrival: once a connection has inherited it, all later
 * connections of the same listening socket have, too. */
bool socket_prepare_once(int fd);

/* Turns the keepalive on or off. On: a silent peer that has vanished makes an error after socket_vanish_usec(). */
void socket_keep_alive(int fd, bool on);

/* From now on small writes are sent at once (TCP_NODELAY). Nothing on a socket that is not TCP. */
void socket_no_delay(int fd);

/* From now on close(2) is an ordinary end: the kernel goes on delivering what was sent. */
void socket_end_clean(int fd);

/* Ends a socket that another process has, too, as its last close(2) would: clean, or by a reset. */
void socket_end_shared(int fd, bool clean);

/* How many bytes the peer's machine has not acknowledged; an end counts as a byte. A reset leaves the number as it is.
 * */
int socket_unconfirmed(int fd);

/* How many connections are pending on a listening socket. -1: some are, and the kernel does not say how many, as for a
 * unix socket. A socket that has been shut down counts as pending. */
int socket_pending(int listening_fd);
