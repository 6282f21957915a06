/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * plot.h: a value over the last hour, as a small picture.
 */

#include <stdio.h>

#include "scoreboard.h"

struct plot {
	const char *title;
	void (*write)(FILE *out, double value);           /* writes a value for people */
	double (*value)(const struct score_slice *slice); /* drawn as an area from 0 */
	double (*line)(const struct score_slice *slice);  /* a second value, drawn as a line; or NULL */
};

/* Writes a figure element. The caller looks at errors of the stream. */
void plot_write(FILE *out, const struct plot *plot, const struct score_history *history);
