/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * patience.h: how a process with a single connection waits for its slot.
 */

#include <stdint.h>

#include "scoreboard.h"
#include "settings.h"

enum patience_outcome {
	PATIENCE_GRANTED,      /* a slot is there to be taken */
	PATIENCE_CLIENT_GONE,
	PATIENCE_TIMED_OUT,    /* a limit that was set: *ret_error is its enum end_cause */
	PATIENCE_INTERRUPTED,  /* SIGTERM */
	PATIENCE_FAILED,       /* *ret_error is a -errno of the scoreboard or of poll(2) */
};

/* Sleeps until an outcome is reached; accepted_usec is when the connection came. The ticket is left as it is. */
enum patience_outcome patience_wait(struct score *score, const struct settings *settings,
				    struct score_ticket *ticket, int client_fd, uint64_t accepted_usec,
				    int *ret_error);
