/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * address.h: socket addresses as people write and read them.
 */

#include <sys/socket.h>

#define ADDRESS_MAX 64 /* "[v6%scope]:port" and "unix:pid" fit, with the NUL */

/* "10.0.0.7:4711", "[2001:db8::7]:4711" (an IPv4-mapped address as IPv4), or "unix". Returns buffer. */
const char *address_format(const struct sockaddr *address, socklen_t size, char buffer[static ADDRESS_MAX]);

/* The name of the peer of a connected socket; "unix:PID" for a unix socket; "unknown" if the kernel no longer tells
 * it. Returns buffer. */
const char *address_peer(int fd, char buffer[static ADDRESS_MAX]);

/* The name of our own end. As above. */
const char *address_local(int fd, char buffer[static ADDRESS_MAX]);
