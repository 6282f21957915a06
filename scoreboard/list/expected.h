/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * expected.h: what a refused value should have been: the phrase that follows the
 * word "expected" in a message.
 */

#define EXPECTED_MAX 320 /* bytes of a phrase, with its NUL: the names of all checks fit */

/* Writes the phrase. Returns -EINVAL, as the parsers of values do. */
int refuse_value(char expected[static EXPECTED_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
