/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * address.h: socket addresses as people write and read them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_MAX 64 /* "[v6%scope]:port" and "unix:pid" fit, with the NUL */

/* "10.0.0.7:4711", "[2001:db8::7]:4711" (an IPv4-mapped address as IPv4), or "unix". Returns buffer. */
const char *address_format(const struct sockaddr *address, socklen_t size, char buffer[static ADDRESS_MAX]);

/* The name of the peer of a connected socket; "unix:PID" for a unix socket; "unknown" if the kernel no longer tells
 * it. Returns buffer. */
const char *address_peer(int fd, char buffer[static ADDRESS_MAX]);

/* The name of our own end. As above. */
const char *address_local(int fd, char buffer[static ADDRESS_MAX]);

/* Whether a text is "[ADDR:]PORT", as address_listen() wants it; ADDR may be a name that does not resolve. */
bool address_is_listen(const char *text);

/*
 * Listens on every address that "[ADDR:]PORT" stands for (none: all of the
 * machine's), and that the machine has. *ret gets up to max non-blocking, close-on-exec descriptors, the
 * caller's; returns how many, or -errno; -EINVAL is a text that is no address,
 * -ENXIO a name that does not resolve, -EADDRNOTAVAIL that the machine has none of
 * the addresses.
 */
int address_listen(const char *text, int *ret, size_t max);
