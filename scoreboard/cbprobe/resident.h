/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * resident.h: a process that stays and makes a pass at each interval, as LVSmon
 * does.
 */

#include <stdint.h>

#include "pass.h"

struct resident_options {
	uint64_t interval_usec;
	int (*reload)(struct score *score); /* at SIGHUP; says what it did. NULL: there is no list to load again */
};

/* Makes passes until SIGTERM, or until a pass cannot be made: -errno. */
int resident_run(struct score *score, const struct settings *pass, const struct resident_options *options);
