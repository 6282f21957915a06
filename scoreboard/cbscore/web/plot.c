/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * plot.c: the newest slice is at the right edge. The left edge is an hour before
 * it, also while less than an hour is known. The scale begins at 0 and ends at a
 * round number.
 */

#include "plot.h"

#include <math.h>

#define HEIGHT 100

/* The least number of 1, 2, 5, 10, 20, 50 ... that is not below the value. */
static double round_up(double value)
{
	double power;

	if (value <= 0)
		return 1;
	power = pow(10, floor(log10(value)));
	for (int i = 0; i < 3; i++) {
		static const double steps[] = { 1, 2, 5 };

		if (value <= steps[i] * power * (1 + 1e-9))
			return steps[i] * power;
	}
	return 10 * power;
}

static double highest(const struct plot *plot, const struct score_history *history)
{
	double most = 0;

	for (unsigned i = 0; i < history->n_slices; i++)
		most = fmax(most, plot->value(&history->slices[i]));
	return most;
}

static double x_of(const struct score_history *history, unsigned i)
{
	return SCORE_SLICES - history->n_slices + i;
}

static void write_points(FILE *out, double (*value)(const struct score_slice *), const struct score_history *history,
			 double top)
{
	for (unsigned i = 0; i < history->n_slices; i++) {
		double y = HEIGHT * (1 - value(&history->slices[i]) / top);

		(void)fprintf(out, "%g,%.1f %g,%.1f ", x_of(history, i), y, x_of(history, i) + 1, y);
	}
}

static void write_value(FILE *out, const char *before, const struct plot *plot, double value, const char *after)
{
	(void)fputs(before, out);
	plot->write(out, value);
	(void)fputs(after, out);
}

static void write_area(FILE *out, const struct plot *plot, const struct score_history *history, double top)
{
	(void)fprintf(out, "<polygon class=\"area\" points=\"%g,%d ", x_of(history, 0), HEIGHT);
	write_points(out, plot->value, history, top);
	(void)fprintf(out, "%u,%d\"/>", SCORE_SLICES, HEIGHT);
	if (plot->line) {
		(void)fputs("<polyline class=\"line\" points=\"", out);
		write_points(out, plot->line, history, top);
		(void)fputs("\"/>", out);
	}
}

void plot_write(FILE *out, const struct plot *plot, const struct score_history *history)
{
	double most = highest(plot, history), top = round_up(most);
	double now = history->n_slices > 0 ? plot->value(&history->slices[history->n_slices - 1]) : 0;

	(void)fprintf(out, "<figure><figcaption><span>%s</span> ", plot->title);
	write_value(out, "<b>", plot, now, "</b></figcaption>");
	(void)fprintf(out, "<svg viewBox=\"0 0 %u %d\" preserveAspectRatio=\"none\" role=\"img\" "
		      "aria-label=\"%s over the last hour: ", SCORE_SLICES, HEIGHT, plot->title);
	write_value(out, "now ", plot, now, "");
	write_value(out, ", at most ", plot, most, "\">");
	(void)fprintf(out, "<line class=\"grid\" x1=\"0\" x2=\"%u\" y1=\"50\" y2=\"50\"/>", SCORE_SLICES);
	if (history->n_slices > 0)
		write_area(out, plot, history, top);
	(void)fputs("</svg><p class=\"scale\" aria-hidden=\"true\"><span>1 h ago</span><span>", out);
	write_value(out, "top ", plot, top, "</span><span>now</span></p></figure>\n");
}
