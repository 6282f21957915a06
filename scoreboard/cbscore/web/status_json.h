/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * status_json.h: a farm as the JSON of /status.json. cbscore(1) has its schema.
 */

#include <stdio.h>

#include "snapshot.h"

/* Writes one object and a newline. The caller looks at errors of the stream. */
void status_json_write(FILE *out, const struct snapshot *snapshot);
