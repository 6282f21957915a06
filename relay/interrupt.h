/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * interrupt.h: SIGTERM in a process that serves one connection. It is blocked
 * except while the process sleeps in interrupt_poll(), so it can never come
 * between a test and the sleep.
 */

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define NO_TIMEOUT UINT64_MAX

/* Blocks SIGTERM and SIGINT and notes them from now on. 0 or -errno. */
int interrupt_setup(void);

/* Whether one has come. */
bool interrupt_pending(void);

/* close(2) of a socket that waits for its delivery, open to SIGTERM, which ends the wait. */
void interrupt_close(int fd);

/* poll(2) with a timeout in microseconds, open to SIGTERM. What poll returns; -EINTR if it came, or -errno. */
int interrupt_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_usec);
