/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * proxy.h: clients that come through another proxy, which says who they are by
 * a PROXY header. It is believed only from the sources that an administrator
 * has named, and those must send one; from all others it is bytes for the node.
 */

#include <stdbool.h>
#include <stddef.h>

#include "system/proxy_header.h"

#define PROXY_WAIT_USEC 5000000u /* for the whole header */

/* Names the sources, once: "ADDRESS[/BITS],..." and "unix", at most 32 of them. 0; -EINVAL: it is not of that form. */
int proxy_accept_from(const char *text);

/* Whether a connection comes from one of them. No system call where none is named. */
bool proxy_is_expected(int fd);

enum proxy_outcome {
	PROXY_DONE,         /* *ret and *ret_size are filled; what follows the header is unread */
	PROXY_NONE,         /* what came is no header */
	PROXY_TIMED_OUT,    /* within PROXY_WAIT_USEC it was not whole */
	PROXY_CLIENT_GONE,
	PROXY_INTERRUPTED,  /* SIGTERM */
};

/* Reads the header, however it is split. *ret_size: its bytes. */
enum proxy_outcome proxy_read(int fd, struct proxy_pair *ret, size_t *ret_size);
