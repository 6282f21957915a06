/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * quit.h: SIGTERM ends the program at once, with status 0. A process may leave the
 * scoreboard at any instruction, but then other processes have to repair it. So
 * signals that end this process are let in only while it waits.
 */

#include <stdbool.h>

/* From now on SIGTERM ends this process. last_words, which must be fit for a signal handler, is called before that, and
 * before SIGINT or SIGHUP ends the process. keep_hangup: SIGHUP is blocked for good, for a caller that waits for it. */
void quit_setup(void (*last_words)(void), bool keep_hangup);

/* From now on SIGTERM, SIGINT and SIGHUP wait. */
void quit_deny(void);

/* From now on these signals may come, also those that have waited. */
void quit_allow(void);
