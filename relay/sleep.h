/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * sleep.h: how a process that has a slot sleeps. A connection may be idle for
 * hours. A question about the scoreboard that comes meanwhile is answered at once:
 * after damage the slots that could not be read count as taken until each process
 * has said what it holds (repair/lost.h).
 */

#include <poll.h>
#include <stdint.h>

#include "scoreboard.h"

#define SLEEP_FDS_MAX 2u

/* From now on sleep_poll() answers questions about this scoreboard. */
void sleep_for(struct score *score);

/* As sigterm_poll(), for at most SLEEP_FDS_MAX descriptors, and open to questions: the sleep goes on after the answer. */
int sleep_poll(struct pollfd *fds, nfds_t n, uint64_t timeout_usec);
