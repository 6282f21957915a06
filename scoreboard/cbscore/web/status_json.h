/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * status_json.h: a farm as the JSON of /status.json, whose schema stands in
 * cbscore(1).
 */

#include <stdio.h>

#include "snapshot.h"

/* Writes one object and a newline; errors of the stream are the caller's to look at. */
void status_json_write(FILE *out, const struct snapshot *snapshot);
