/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * inherited.h: what a program gets from the process that started it, and must
 * not depend on.
 */

/*
 * To be called first of all. Afterwards:
 *   - descriptors 0 to 2 are open: /dev/null stands in for a closed one, the
 *     wrong way round, so that using it is still an error. Else the program
 *     would open its scoreboard as that number, and print into it;
 *   - no signal is blocked, no timer runs, and every signal has its default
 *     effect, but for SIGXFSZ, which is ignored (a write beyond a limit fails
 *     and does not kill), and for SIGHUP, SIGINT and SIGQUIT, which stay
 *     ignored where they are: nohup(1) and shells mean that;
 *   - files are made with the usual mode.
 * 0 or -errno.
 */
int inherited_settle(void);
