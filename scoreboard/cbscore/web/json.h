/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * json.h: JSON (RFC 8259) that is written piece by piece.
 */

#include <stdio.h>

/* Writes a string with its quotes; null if text is NULL. text is valid UTF-8. */
void json_string(FILE *out, const char *text);
