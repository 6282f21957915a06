/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * screen.h: draws a view (view.h) on the whole terminal, of any size, by curses.
 */

#include <stddef.h>

#include "view.h"

/* Chooses the colours, if the terminal has any and $NO_COLOR does not forbid them. To be called once, before the first
 * drawing. */
void screen_start_colors(void);

/* The number of lines that the list has on the screen; at least 1. */
size_t screen_list_lines(const struct view *view);

/* Draws the view, and moves its first line so that the cursor is on the screen. */
void screen_draw(struct view *view);
