/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * terminal.h: what the terminal that curses has opened is able to do. It stands
 * apart as <term.h> has macros with names such as lines and columns.
 */

#include <stdbool.h>

/* Whether the terminal can move its cursor: one of the type dumb cannot. newterm(3) comes first. */
bool terminal_can_move(void);
