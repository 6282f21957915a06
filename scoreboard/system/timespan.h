/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * timespan.h: lengths of time as systemd.time(7) writes them: "1min 30s",
 * "500ms", "5" (seconds).
 */

#include <stddef.h>
#include <stdint.h>

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

/* Reads a length of time. 0 and *ret_usec; -EINVAL if the text is none; -ERANGE if it is too long to count. */
int timespan_parse(const char *s, uint64_t *ret_usec);

/* Writes a length of time for people, its two largest units: "2h 5min", "3.2s". Returns buffer. */
const char *timespan_format(uint64_t usec, char *buffer, size_t size);

/* Now: of the wall clock; of the clock that never jumps and is the same in every process of a boot; and of
 * the clock that stands still in a suspended machine, which sd_notify(3) needs. */
uint64_t now_realtime(void);
uint64_t now_boottime(void);
uint64_t now_monotonic(void);

/* As now_monotonic(), but up to 10 ms behind it, and much cheaper. */
uint64_t now_coarse(void);

/* The time of the wall clock, as that clock goes now, at a time of now_boottime(): what is shown of a time that processes
 * measure by the clock that never jumps. */
uint64_t wall_time(uint64_t boottime_usec);
