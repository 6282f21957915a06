/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * standard_fds.h: a program started with a closed stdin, stdout or stderr
 * would open its scoreboard as that number, and print into it.
 */

/*
 * Puts /dev/null on each of descriptors 0 to 2 that is closed, the wrong way
 * round, so that using one is still an error. To be called before anything is
 * opened. 0 or -errno.
 */
int standard_fds_occupy(void);
