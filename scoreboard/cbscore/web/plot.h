/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * plot.h: a value over the last hour, as a small picture.
 */

#include <stdio.h>

#include "scoreboard.h"

struct plot {
	const char *title, *unit;                         /* the unit stands behind numbers; may be empty */
	double (*value)(const struct score_slice *slice); /* an area from 0 */
	double (*line)(const struct score_slice *slice);  /* a second value, as a line; or NULL */
};

/* Writes a figure element; errors of the stream are the caller's to look at. */
void plot_write(FILE *out, const struct plot *plot, const struct score_history *history);
