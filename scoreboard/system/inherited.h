/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * inherited.h: what a program inherits from the process that started it, and
 * must not depend on.
 */

/*
 * Is called before anything else. kept is a signal that is blocked from then on,
 * and waits until the program takes it, or 0. Afterwards:
 *   - descriptors 0 to 2 are open: /dev/null stands in for a closed descriptor,
 *     open for the opposite direction, so that its use is still an error.
 *     Otherwise the program would open its scoreboard as that number, and print
 *     into it;
 *   - no signal but kept is blocked, no timer runs, and every signal has its default
 *     effect, but for SIGXFSZ, which is ignored (a write beyond a limit fails
 *     and does not kill), and for SIGHUP, SIGINT and SIGQUIT, which stay
 *     ignored if they were: nohup(1) and shells do that on purpose;
 *   - files are made with the usual mode, and a file and the processor's time are
 *     limited by the hard limits only: a soft limit of the size would keep the
 *     scoreboard from being made, one of the time would end a listener after weeks.
 * 0 or -errno.
 */
int inherited_settle(int kept);

/* Allows this process as many descriptors as the hard limit does. If the limit cannot be raised it stays as it is. */
void inherited_raise_descriptors(void);
