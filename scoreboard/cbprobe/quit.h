/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * quit.h: SIGTERM ends the program at once, with status 0. The scoreboard bears
 * being left at any instruction, but then it is for others to mend; so signals
 * that end us are let in only while we wait.
 */

#include <stdbool.h>

/* SIGTERM ends us from now on. last_words, which must be fit for a signal handler, is called before that, and
 * before SIGINT and SIGHUP do; with keep_hangup SIGHUP is blocked for good, for whoever waits for it. */
void quit_setup(void (*last_words)(void), bool keep_hangup);

/* SIGTERM, SIGINT and SIGHUP have to wait; may come (also those that waited). */
void quit_deny(void);
void quit_allow(void);
