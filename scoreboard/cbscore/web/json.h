/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * json.h: JSON (RFC 8259) that is written piece by piece.
 */

#include <stdio.h>

/* Writes a string with its quotes; '?' stands for each byte that is not printable UTF-8. null: text is NULL, or there is no
 * memory. */
void json_string(FILE *out, const char *text);
