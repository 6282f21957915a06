/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * service.h: what a service manager is told: sd_notify(3)'s protocol.
 */

/* Takes $NOTIFY_SOCKET and $WATCHDOG_USEC out of the environment, and begins the watchdog's beat if there is to
 * be one. Nothing without the former. beside_setup() came before. 0 or -errno. */
int service_setup(void);

/* Says "READY=1" and the like; nothing if nobody listens. May be called by a signal handler. */
void service_tell(const char *text);

/* The same for people: STATUS=. */
void service_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
