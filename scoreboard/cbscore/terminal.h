/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * terminal.h: the terminal as a full screen, by curses, and how it is given back
 * whatever ends the process. It stands apart as <term.h> has macros with names
 * such as lines and columns.
 */

#include <curses.h>

/*
 * Takes the terminal for a full screen: keys come one by one and are not echoed.
 * Returns the screen, to be ended by terminal_give_back(); NULL: curses does not
 * know the terminal, or the terminal cannot move its cursor, as the type dumb.
 *
 * From now on a signal that ends the process at once, for example SIGSEGV, first
 * gives the terminal back. Signals that the caller catches later are the caller's.
 */
SCREEN *terminal_take(void);

/* Puts the terminal back as it was, and frees the screen. */
void terminal_give_back(SCREEN *screen);
