/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * service.h: libsystemd's functions, as service.NAME for sd_NAME. Only `cbscore
 * serve` is a service, and each other verb would load this library and the six
 * libraries that it needs: that is a fifth of the time of a short verb.
 */

#include <systemd/sd-daemon.h>

#define SERVICE_FUNCTIONS(X) X(listen_fds) X(is_socket) X(notify)

#define SERVICE_DECLARE(f) __typeof__(&sd_##f) f;
struct service {
	SERVICE_FUNCTIONS(SERVICE_DECLARE)
};
extern struct service service;

/* Loads the library, before any other function is called. 0; or -ENOSYS: there is no such library. */
int service_load(void);
