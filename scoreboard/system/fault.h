/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * fault.h: a mapped file that somebody cut short must not end the process.
 *
 * Touching a page behind the file's end is SIGBUS. Between fault_begin() and
 * fault_end() the page that is missing becomes an empty one of the process
 * itself, and the code that touched it goes on with zeros. It learns of that
 * from fault_seen(), and must then believe nothing that it read and count
 * nothing as written. No system call is made but for a fault, and at the first
 * fault_begin() of a process.
 */

#include <stdbool.h>

/* Begins, or goes one level deeper. At the outermost level no fault has been seen yet. */
void fault_begin(void);

/* Whether a page was missing since the outermost fault_begin(). Not between them: false. */
bool fault_seen(void);

/* Whether a page was missing so far; from here on none has been seen. */
bool fault_clear(void);

/* Ends, or goes one level up. Returns whether a page was missing. */
bool fault_end(void);
