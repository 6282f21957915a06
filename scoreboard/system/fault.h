/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * fault.h: a mapped file that was cut short must not end the process.
 *
 * An access to a page behind the file's end raises SIGBUS. Between fault_begin()
 * and fault_end() a page of zeros that belongs to the process replaces the
 * missing page, and the code that touched it goes on. fault_seen() tells the
 * code of this: then it must trust nothing that it read and count nothing as
 * written. System calls are made only for a fault, and at the first
 * fault_begin() of a process.
 */

#include <stdbool.h>

/* Begins, or goes one level deeper. At the outermost level it forgets earlier faults. */
void fault_begin(void);

/* Whether a page was missing since the outermost fault_begin(). Outside of fault_begin() and fault_end(): false. */
bool fault_seen(void);

/* As fault_seen(), and forgets it. */
bool fault_clear(void);

/* Ends, or goes one level up. Returns whether a page was missing. */
bool fault_end(void);
