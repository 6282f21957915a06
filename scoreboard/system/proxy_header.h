/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * proxy_header.h: tells a node its client's address, by the PROXY protocol
 * (haproxy's doc/proxy-protocol.txt, versions 1 and 2). It makes and reads bytes
 * only: a relay sends them before the client's bytes, the prober before a
 * check's.
 */

#include <stddef.h>
#include <sys/socket.h>

#define PROXY_HEADER_MAX 232 /* version 2 with IPv6 addresses and an id; version 1 needs 107 */
#define PROXY_ID_MAX 128
#define PROXY_READ_MAX 4096  /* the longest header that is read */

enum proxy_version {
	PROXY_OFF, /* no header */
	PROXY_V1,
	PROXY_V2,
};

/*
 * Writes the header for a connection from peer to local, both as the client
 * socket has them (an IPv4-mapped pair is IPv4). A pair of any other family is
 * UNKNOWN in version 1, LOCAL in version 2. id (NULL: none) is the connection's
 * name, cut to PROXY_ID_MAX; only version 2 can carry it. Returns the length in
 * bytes; 0 for PROXY_OFF.
 */
size_t proxy_header_write(enum proxy_version version, const struct sockaddr *peer, const struct sockaddr *local,
			  const char *id, unsigned char ret[static PROXY_HEADER_MAX]);

/* What a header says. */
struct proxy_pair {
	struct sockaddr_storage client, gate;  /* AF_UNSPEC: the header names none; the socket's own ends count */
	socklen_t client_size, gate_size;
};

/*
 * Reads the header at the beginning of a connection's first n bytes. Returns its
 * length and fills *ret; 0: more bytes are needed; -EBADMSG: the bytes are no
 * header, or the header is longer than PROXY_READ_MAX, or its checksum is wrong.
 */
int proxy_header_parse(const unsigned char *bytes, size_t n, struct proxy_pair *ret);
