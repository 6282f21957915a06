/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * processors.h: how much work this machine has, and for how many processors.
 */

#include <stddef.h>

/* How many processors this process may run on, at least 1. Asked of the kernel once. */
size_t processors_there(void);

/* How many processes of this machine, the caller among them, run or could run at once; proc(5), the fourth field of
 * /proc/loadavg. 0: unknown. Keeps the file open for later calls. */
size_t processors_wanted(void);
