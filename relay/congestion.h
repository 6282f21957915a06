/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * congestion.h: the congestion control of TCP that connections use.
 *
 * bbr paces what it sends. Between two ends on the same machine there is nothing
 * to pace for, and the timers cost more than the bytes: such connections had two
 * fifths of the rate of reno. A socket keeps the pacing that it was created with,
 * so the choice must come earlier: on the listening socket, and before connect(2).
 */

#include <sys/socket.h>

/*
 * Chooses for this process: "auto" (where it begins: both ends are on this
 * machine, and the socket would pace: reno; all others as they are), "system"
 * (all as they are), or a name of tcp_available_congestion_control (for all).
 * 0; -ENOENT: there is none of that name; -EPERM: this user may not choose it;
 * or -errno.
 */
int congestion_choose(const char *name);

/* For a listening socket (accepted sockets inherit the choice) or a connected socket. A socket that is not TCP stays as
 * it is. */
void congestion_apply(int fd);

/* For a new socket that is about to be connected to an address. */
void congestion_apply_to(int fd, const struct sockaddr *address);
