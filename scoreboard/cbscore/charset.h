/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * charset.h: the environment's locale decides which bytes a terminal shows as a
 * character, and nothing of what a node list means: where a Turkish locale makes
 * of "BUILD1" a small "buIld1", cbscore would name a node as no other program does.
 */

/* From now on characters are those of C.UTF-8 where the environment's locale has UTF-8, else those of C. readline(3) undoes
 * that: the caller calls this function again behind it. */
void charset_settle(void);
