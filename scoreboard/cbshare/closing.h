/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * closing.h: ends all connections that this gateway has to nodes, as it may have
 * none any more. Clients that wait go on waiting.
 */

#include "scoreboard.h"

#define CLOSING_PATIENCE_USEC 100000u /* a relay that has not ended its connection after so long is killed */

/* Ends them within CLOSING_PATIENCE_USEC and the time that the kernel needs. *ret_n: how many there were. 0 or -errno. */
int closing_run(struct score *score, size_t *ret_n);
