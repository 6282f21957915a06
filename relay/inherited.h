/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * inherited.h: what of its memory a process passes on to the processes that it
 * forks. Each mapping costs a fork a microsecond or more, and its end as much again.
 */

/*
 * Takes the libraries that only a listener calls out of this process, and so out of
 * all that it forks: libsystemd, what libsystemd needs, and what looks up users.
 * These processes must call no function of such a library, and end by _exit(2), as
 * exit(3) runs destructors of the libraries. Does nothing where a library is loaded
 * that is not expected, such as a preloaded library.
 */
void inherited_without_libraries(void);
