/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* note.h: what the verb gateways of cbscore(1) shows. */

#include "gateway.h"

/* Notes the gateways beside the scoreboard of that path; now_usec is CLOCK_BOOTTIME. 0 or -errno. */
int note_gateways(const char *scoreboard, const struct gateway_status *status, uint64_t now_usec);
