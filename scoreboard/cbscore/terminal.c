/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "terminal.h"

#include <stdint.h>

#include <curses.h>
#include <term.h>

bool terminal_can_move(void)
{
	const char *move = tigetstr("cup");

	/* -1 says that curses does not know the word. */
	return move && (intptr_t)move != -1;
}
