/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * pulse.h: whether the machine at the other end of a connection is there, and
 * what has moved between the two kernels. This kernel knows all of that; nothing
 * is sent.
 */

#include <stdbool.h>
#include <stdint.h>

/* What is known of a peer; all zero at first. */
struct pulse {
	uint64_t owed_usec;   /* since when an acknowledgement is owed and none came, CLOCK_BOOTTIME; 0: none is owed */
};

/* When pulse_has_stopped() has to look first: so long after bytes, or an end, were given to a socket. */
uint64_t pulse_first_look_usec(void);

/*
 * Whether the peer's machine has vanished: something was sent to it, and for
 * socket_vanish_usec() the machine has acknowledged nothing at all. A peer that
 * does not read lives, as its machine answers the probes of its closed window.
 * now_usec is CLOCK_BOOTTIME. *look_usec is lowered to the time when this
 * socket has to be looked at again, and left as it is when nothing is owed.
 * A socket that is not TCP never vanishes.
 */
bool pulse_has_stopped(struct pulse *pulse, int fd, uint64_t now_usec, uint64_t *look_usec);

/* A number that changes whenever a byte from the peer reaches this kernel, or a byte from here the peer's kernel. */
uint64_t pulse_traffic(int fd);

/*
 * Whether the peer had ended its side before the error that the socket reports
 * now; taken is how many bytes were ever read from the socket. If so, the unread
 * bytes may still be read, up to the peer's end.
 */
bool pulse_ended_before_error(int fd, uint64_t taken);

/*
 * Whether the peer has ended its side, and all that it said has been read; taken as above. *ret_closed, if the kernel
 * tells: as pulse_is_closed(). After an error neither holds.
 */
bool pulse_is_read(int fd, uint64_t taken, bool *ret_closed);

/* How long a segment and its acknowledgement take, as the kernel has measured it; 0: not TCP. */
uint64_t pulse_round_trip_usec(int fd);

/* Whether this kernel has nothing to do with the connection any more: both ends are confirmed, or it was reset. */
bool pulse_is_closed(int fd);

/* Whether both sides have ended, and the peer's machine still has to confirm the end of ours. */
bool pulse_is_ending(int fd);
