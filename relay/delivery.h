/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * delivery.h: the end of a connection to a node, as the node's machine sees it.
 */

#include <stdint.h>

/*
 * Ends our side of a TCP connection whose other side has ended, and waits
 * until the other machine has all that we sent, and that end. fd is
 * non-blocking, stays the caller's, and must be set to be reset by close(2):
 * that then does nothing if all has been delivered, and else, as at any death
 * of this process meanwhile, it ends the connection there, too, unless all is
 * on its way already, which then arrives. 0: delivered,
 * or the other end is gone; -ETIME: nothing was taken for idle_timeout_usec (0:
 * no limit; noticed within twice that); -EINTR: SIGTERM came, or another -errno.
 */
int delivery_end(int fd, uint64_t idle_timeout_usec);
