/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * service.h: messages to the service manager, by the protocol of sd_notify(3).
 */

/* Takes $NOTIFY_SOCKET and $WATCHDOG_USEC out of the environment, and begins the watchdog's beat if $WATCHDOG_USEC asks
 * for it. Does nothing without $NOTIFY_SOCKET. beside_setup() came before. 0 or -errno. */
int service_setup(void);

/* Says "READY=1" and the like; does nothing without a service manager. A signal handler may call it. */
void service_tell(const char *text);

/* Sets the status that the service manager shows to people: STATUS=. */
void service_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
