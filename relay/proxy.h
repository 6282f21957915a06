/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * proxy.h: clients that come through another proxy, which tells their addresses by
 * a PROXY header. The header is believed only from the sources that an
 * administrator has named, and these must send it. From any other source the header
 * is bytes for the node.
 */

#include <stdbool.h>
#include <stddef.h>

#include "system/proxy_header.h"

#define PROXY_WAIT_USEC 5000000u /* for the whole header */

/* Names the sources, once: "ADDRESS[/BITS],..." and "unix", at most 32 of them. 0; -EINVAL: text has another form. */
int proxy_accept_from(const char *text);

/* Whether a connection comes from a named source. Makes no system call if no source is named. */
bool proxy_is_expected(int fd);

enum proxy_outcome {
	PROXY_DONE,         /* *ret and *ret_size are filled; what follows the header is unread */
	PROXY_NONE,         /* what came is no header */
	PROXY_TIMED_OUT,    /* the header was not whole within PROXY_WAIT_USEC */
	PROXY_CLIENT_GONE,
	PROXY_INTERRUPTED,  /* SIGTERM */
	PROXY_INCOMPLETE,   /* only of proxy_peek(): more bytes are needed */
};

/* Whether any source was named. */
bool proxy_has_sources(void);

/* Looks at what has come of the header, and leaves it there. DONE: as proxy_read(), but the header is unread, too.
 * INCOMPLETE: *ret_size bytes of it have come. Never waits. */
enum proxy_outcome proxy_peek(int fd, struct proxy_pair *ret, size_t *ret_size);

/* Reads the header, however it is split. *ret_size: its size in bytes. */
enum proxy_outcome proxy_read(int fd, struct proxy_pair *ret, size_t *ret_size);
