/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * inherited.h: what of its memory a process passes on to the processes that it
 * forks. Each mapping costs a fork a microsecond or more, and its end as much again.
 */

/*
 * Processes that the calling process forks from now on do not have the libraries
 * that only a listener calls: libsystemd, what libsystemd needs, and what looks up
 * users. Where a library was preloaded, they have all. They must call no function of these, nor exit(3), which runs destructors
 * of theirs: _exit(2) ends them.
 */
void inherited_without_libraries(void);
