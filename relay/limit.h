/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * limit.h: how long a client may wait: --queue-timeout while nodes are merely
 * busy, --down-timeout while no node is up.
 */

#include <stdint.h>

#include "report.h"
#include "scoreboard.h"
#include "settings.h"

/*
 * Whether a client that came at accepted_usec has waited long enough. Returns
 * the limit that was reached, CAUSE_QUEUE_TIMEOUT or CAUSE_DOWN_TIMEOUT; 0: none;
 * or -errno of the scoreboard. At 0 *ret_look_usec says when to ask again;
 * NO_TIMEOUT: never. Both times are CLOCK_BOOTTIME.
 */
int limit_is_over(struct score *score, const struct settings *settings, uint64_t accepted_usec,
		  uint64_t *ret_look_usec);
