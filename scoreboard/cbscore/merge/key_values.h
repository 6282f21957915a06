/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* key_values.h: the line that a relay writes of a connection where there is no journal, see cbrelay(8). */

#include <stdbool.h>

#include "gateway_log.h"

/* Whether a text is a line of a connection, also behind what a log has put before it. Returns where it begins, or NULL. */
const char *key_values_find(const char *text);

/* Copies the value of a key of such a line. true: the key is there, and its value fits with its NUL. */
bool key_values_get(const char *line, const char *key, char *ret, size_t size);
