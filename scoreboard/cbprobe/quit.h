/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * quit.h: SIGTERM ends the program at once, with status 0. The scoreboard bears
 * being left at any instruction, but then it is for others to mend; so signals
 * that end us are let in only while we wait.
 */

/* SIGTERM ends us from now on. */
void quit_setup(void);

/* SIGTERM, SIGINT and SIGHUP have to wait; may come (also those that waited). */
void quit_deny(void);
void quit_allow(void);
