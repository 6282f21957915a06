/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* moment.h: times as logs write them. */

#include <stddef.h>
#include <stdint.h>

/*
 * Reads a time by a format of strptime(3); seconds may have a fraction. A format
 * without %z is local time. A format without a year means the year in which the
 * time is nearest to near_usec. 0, with the microseconds since 1970 in *ret_usec
 * and in *ret_unit_usec how long the unit of the last digit is (a second if
 * there is no fraction); -EINVAL: the text has another form.
 */
int moment_parse(const char *text, size_t size, const char *format, uint64_t near_usec, uint64_t *ret_usec,
		 uint64_t *ret_unit_usec);
