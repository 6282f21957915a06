/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * status_json.h: a farm as the JSON of /status.json. cbscore(1) has its schema.
 */

#include "form.h"

/* One object and a newline. */
extern const struct form status_json_form;
