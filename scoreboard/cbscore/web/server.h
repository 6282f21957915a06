/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * server.h: answers HTTP requests about a farm. GET and HEAD only; no request
 * changes anything.
 */

#include <stddef.h>
#include <stdint.h>

#include "scoreboard.h"

struct server_settings {
	const char *farm;         /* its name */
	uint64_t exit_idle_usec;  /* the server ends after so long without a request; 0: it stays */
	/* Opens the farm's scoreboard. 0 and *ret, which the server closes; or -errno of scoreboard.h. */
	int (*open)(void *arg, struct score **ret);
	void *arg;
};

/* Loads libmicrohttpd, before server_run(). 0; or -ENOSYS: there is no such library. */
int server_load(void);

/*
 * Serves on n listening sockets, which stay the caller's, until it has been idle
 * for exit_idle_usec, or SIGTERM or SIGINT comes. The caller has blocked both
 * signals. 0 or -errno.
 */
int server_run(const struct server_settings *settings, const int *fds, size_t n);
