/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * wait.h: how a process with a single connection waits for its slot.
 */

#include <stdbool.h>
#include <stdint.h>

#include "scoreboard.h"
#include "settings.h"

enum wait_outcome {
	WAIT_GRANTED,      /* a slot is there to be taken */
	WAIT_CLIENT_GONE,
	WAIT_TIMED_OUT,    /* a limit that was set: *ret_error is its enum end_cause */
	WAIT_INTERRUPTED,  /* SIGTERM */
	WAIT_FAILED,       /* *ret_error is a -errno of the scoreboard or of poll(2) */
};

/* Sleeps until an outcome is reached; accepted_usec is when the connection came, spoken whether something of what the
 * client said has been read. The ticket is left as it is. */
enum wait_outcome wait_for_slot(struct score *score, const struct settings *settings,
				    struct score_ticket *ticket, int client_fd, bool spoken,
				    uint64_t accepted_usec, int *ret_error);
