/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * delivery.h: the end of a connection, as the peer's machine sees it.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Waits until the peer's machine has all that was sent on a socket, and the
 * end if that was sent, too. 0: it has, or the connection was reset; -ETIME:
 * nothing was taken for idle_timeout_usec (0: no limit; noticed within twice
 * that); -ETIMEDOUT: the peer's machine has vanished; -EINTR: SIGTERM came; or
 * another -errno.
 */
int delivery_await(int fd, uint64_t idle_timeout_usec);

/*
 * Ends this side of a TCP connection after the peer has ended its side. fd is
 * non-blocking, stays the caller's, and must be set to be reset by close(2).
 * true: the peer's machine has all that was sent, and the end (on the same machine,
 * or by a fast network, it has acknowledged that at once), or the connection was
 * reset: close(2) changes nothing any more. false: the caller goes on with
 * delivery_end().
 */
bool delivery_begin(int fd);

/*
 * Waits until the peer's machine has all that was sent, and the end. If it has,
 * the caller's close(2) changes nothing. Otherwise close(2), like the death of
 * this process, resets the connection at the other machine, too, unless everything
 * has been sent already: that then arrives. Returns as delivery_await().
 */
int delivery_end(int fd, uint64_t idle_timeout_usec);

/*
 * Closes a connection that is to be reset, and does not return before the
 * peer's machine has no connection any more. The kernel does not send a lost
 * reset again; so this function asks the peer's machine until it answers. The
 * wait also ends when the peer's machine answers nothing for
 * socket_vanish_usec(), or for DELIVERY_STOP_USEC after SIGTERM. A peer that is
 * not TCP is not asked. A process of the peer sees nothing but the reset.
 */
void delivery_abort(int fd);

#define DELIVERY_STOP_USEC 5000000u
