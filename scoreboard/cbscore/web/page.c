/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * page.c: the page, in the order in which a reader needs it: one sentence and its
 * colour; what is wrong; how the last hour went; every node.
 */

#include "page.h"

#include <inttypes.h>
#include <string.h>

#include "cbscore/kept.h"
#include "html.h"
#include "plot.h"
#include "system/timespan.h"

#define CELLS_MAX 64u     /* up to so many cores a bar shows each core */
#define GAP 0.006         /* between two cores of a bar, as a part of it, */
#define GAP_MOST 0.2      /* and as a part of a core */
#define TROUBLES_MAX 12u  /* nodes that are named above the plots */

static void write_head(FILE *out, const char *farm)
{
	(void)fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", out);
	html_text(out, farm);
	(void)fputs(" - corebalance</title>\n<link rel=\"stylesheet\" href=\"page.css\">\n"
		    "<link rel=\"icon\" href=\"icon.svg\" type=\"image/svg+xml\">\n"
		    "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n"
		    "<script src=\"page.js\" defer></script>\n</head>\n<body>\n", out);
}

static void write_foot(FILE *out)
{
	(void)fputs("<footer><p>corebalance " VERSION "<span class=\"links\"> <a href=\"status.json\">status.json</a> "
		    "<a href=\"metrics\">metrics</a></span></p></footer>\n</body>\n</html>\n", out);
}

/* ---- the sentence ---- */

/* The state of the farm, as the class that colours the sentence. */
static const char *mood(const struct snapshot *snapshot)
{
	const struct score_totals *totals = &snapshot->totals;

	if (totals->paused || totals->lapsed || snapshot->n_nodes == 0 || totals->nodes_up == 0)
		return "stopped";
	if (snapshot_count(snapshot, NODE_DOWN) + snapshot_count(snapshot, NODE_RETRY) > 0)
		return "hurt";
	return totals->waiting > 0 ? "full" : "well";
}

/* Writes in words what the colour says. */
static void write_word(FILE *out, const struct snapshot *snapshot)
{
	const struct score_totals *totals = &snapshot->totals;
	size_t down = snapshot_count(snapshot, NODE_DOWN) + snapshot_count(snapshot, NODE_RETRY);

	if (totals->paused)
		(void)fputs("The farm is paused: every connection waits.", out);
	else if (totals->lapsed)
		(void)fputs("The lease of the farm's cores is over: every connection waits.", out);
	else if (snapshot->n_nodes == 0)
		(void)fputs("No nodes: connections wait until the node list has some.", out);
	else if (totals->nodes_up == 0)
		(void)fputs("No node is up: connections wait until a node returns.", out);
	else if (down == 1)
		(void)fputs("A node is down.", out);
	else if (down > 0)
		(void)fprintf(out, "%zu nodes are down.", down);
	else if (totals->kept > 0)
		(void)fputs("Connections wait.", out);
	else if (totals->waiting > 0)
		(void)fputs("Every core is busy: connections wait for their turn.", out);
	else
		(void)fputs(totals->free > 0 ? "Cores are free." : "Every core is busy, and no connection waits.", out);
}

/* Writes why connections wait though cores are free. */
static void write_kept(FILE *out, const struct score_totals *totals)
{
	char text[KEPT_MAX];

	(void)fprintf(out, " %s.", kept_format(totals->kept, totals->kept_usec, text));
}

/* Writes which part of the farm is this gateway's, unless it is all. */
static void write_share(FILE *out, const struct split *split)
{
	char text[SPLIT_TEXT_MAX];

	if (split->parts > 0)
		(void)fprintf(out, "<div><dt>Share</dt><dd><b>%s</b>%s</dd></div>\n", split_format(split, text),
			      split_is_leased(split) ? "" : " of each node");
}

static void write_sentence(FILE *out, const struct snapshot *snapshot)
{
	const struct score_totals *totals = &snapshot->totals;

	(void)fprintf(out, "<section class=\"sentence %s\" aria-label=\"The farm now\">\n", mood(snapshot));
	(void)fputs("<p class=\"word\">", out);
	write_word(out, snapshot);
	if (totals->kept > 0)
		write_kept(out, totals);
	(void)fputs("</p>\n", out);
	(void)fputs("<dl class=\"figures\">\n<div><dt>Cores busy</dt><dd><b>", out);
	html_count(out, totals->busy);
	(void)fputs("</b> of ", out);
	html_count(out, totals->slots);
	(void)fputs("</dd></div>\n", out);
	write_share(out, &totals->split);
	(void)fputs("<div><dt>Waiting</dt><dd><b>", out);
	html_count(out, totals->waiting);
	(void)fputs("</b>", out);
	if (totals->waiting > 0 && snapshot->taken_usec > totals->oldest_since_usec) {
		(void)fputs(" oldest ", out);
		html_span(out, snapshot->taken_usec - totals->oldest_since_usec);
	}
	(void)fprintf(out, "</dd></div>\n<div><dt>Nodes up</dt><dd><b>%" PRIu32 "</b> of %zu</dd></div>\n</dl>\n</section>\n",
		      totals->nodes_up, snapshot->n_nodes);
}

/* ---- what is wrong ---- */

static const char *state_sign(enum node_state state)
{
	static const char *const signs[NODE_STATE_MAX_] = {
		[NODE_UP] = "●", [NODE_DOWN] = "✕", [NODE_HELD] = "❚❚", [NODE_DRAINING] = "◐", [NODE_RETRY] = "↻",
	};

	return signs[state];
}

static void write_state(FILE *out, const struct snapshot_node *node)
{
	const char *name = node_state_to_string(node->state);

	(void)fprintf(out, "<span class=\"state %s\"><span aria-hidden=\"true\">%s</span> %s</span>", name,
		      state_sign(node->state), name);
}

/* Writes what follows the state: for how long, and why. */
static void write_why(FILE *out, const struct snapshot *snapshot, const struct snapshot_node *node)
{
	if (node->since_usec && snapshot->taken_usec >= node->since_usec) {
		(void)fputs("<span class=\"age\">", out);
		html_age(out, snapshot->taken_usec - node->since_usec);
		(void)fputs("</span>", out);
	}
	if (*node->why && node->state != NODE_UP) {
		(void)fputs(" <span class=\"why\">", out);
		html_text(out, node->why);
		(void)fputs("</span>", out);
	}
}

static void write_troubles(FILE *out, const struct snapshot *snapshot)
{
	size_t n = snapshot->n_nodes - snapshot_count(snapshot, NODE_UP), shown = 0;

	if (n == 0)
		return;
	(void)fputs("<section class=\"troubles\">\n<h2>Not in service</h2>\n<ul>\n", out);
	for (size_t i = 0; i < snapshot->n_nodes && shown < TROUBLES_MAX; i++) {
		const struct snapshot_node *node = &snapshot->nodes[i];

		if (node->state == NODE_UP)
			continue;
		shown++;
		(void)fputs("<li>", out);
		write_state(out, node);
		(void)fputs(" <b>", out);
		html_text(out, node->name);
		(void)fputs("</b> ", out);
		write_why(out, snapshot, node);
		(void)fputs("</li>\n", out);
	}
	if (n > shown)
		(void)fprintf(out, "<li>and %zu more, below</li>\n", n - shown);
	(void)fputs("</ul>\n</section>\n", out);
}

/* ---- the last hour ---- */

static double slice_busy(const struct score_slice *slice) { return slice->busy; }
static double slice_waiting(const struct score_slice *slice) { return slice->waiting; }

static double slice_rate(const struct score_slice *slice)
{
	uint64_t usec = slice->length_usec > USEC_PER_SEC ? slice->length_usec : USEC_PER_SEC;

	return (double)(slice->served + slice->failed) * (double)USEC_PER_SEC / (double)usec;
}

static double slice_p50(const struct score_slice *slice)
{
	return (double)score_histogram_quantile(&slice->wait, 0.5) / (double)USEC_PER_SEC;
}

static double slice_p99(const struct score_slice *slice)
{
	return (double)score_histogram_quantile(&slice->wait, 0.99) / (double)USEC_PER_SEC;
}

static void write_number(FILE *out, double value)
{
	html_count(out, (uint64_t)value);
}

static void write_rate(FILE *out, double value)
{
	(void)fprintf(out, "%.3g/s", value);
}

static void write_wait(FILE *out, double seconds)
{
	html_span(out, (uint64_t)(seconds * (double)USEC_PER_SEC + 0.5));
}

static void write_hour(FILE *out, const struct snapshot *snapshot)
{
	static const struct plot plots[] = {
		{ "Busy slots", write_number, slice_busy, NULL },
		{ "Waiting", write_number, slice_waiting, NULL },
		{ "Connections a second", write_rate, slice_rate, NULL },
		{ "Wait, median and 99 of 100", write_wait, slice_p99, slice_p50 },
	};

	(void)fputs("<section class=\"hour\">\n<h2>The last hour</h2>\n<div class=\"plots\">\n", out);
	for (size_t i = 0; i < sizeof(plots) / sizeof(plots[0]); i++)
		plot_write(out, &plots[i], &snapshot->history);
	(void)fputs("</div>\n</section>\n", out);
}

/* ---- the nodes ---- */

/* Writes a cell of a bar, from x on. The bar is as many units wide as the node has cores. */
static void write_cell(FILE *out, uint32_t x, uint32_t width, double gap, const char *class)
{
	(void)fprintf(out, "<rect class=\"%s\" x=\"%g\" y=\"0\" width=\"%g\" height=\"1\"/>", class, x + gap / 2, width - gap);
}

/* Writes a bar as long as the node has cores: busy cores, then those that it offers, then those that it does not. */
static void write_bar(FILE *out, const struct snapshot_node *node)
{
	uint32_t busy = node->busy < node->cores ? node->busy : node->cores;
	uint32_t free = node->free < node->cores - busy ? node->free : node->cores - busy;
	uint32_t parts[] = { busy, free, node->cores - busy - free }, x = 0;
	static const char *const classes[] = { "busy", "free", "shut" };

	(void)fprintf(out, "<svg class=\"bar\" viewBox=\"0 0 %" PRIu32 " 1\" preserveAspectRatio=\"none\" role=\"img\" "
		      "aria-label=\"%" PRIu32 " of %" PRIu32 " cores busy, %" PRIu32 " free\">",
		      node->cores, node->busy, node->cores, node->free);
	for (size_t part = 0; part < 3; part++) {
		uint32_t end = x + parts[part];

		if (node->cores <= CELLS_MAX) {
			for (; x < end; x++)
				write_cell(out, x, 1, GAP * node->cores < GAP_MOST ? GAP * node->cores : GAP_MOST, classes[part]);
		} else if (parts[part] > 0) {
			write_cell(out, x, parts[part], 0, classes[part]);
			x = end;
		}
	}
	(void)fputs("</svg>", out);
}

static void write_node(FILE *out, const struct snapshot *snapshot, size_t i)
{
	const struct snapshot_node *node = &snapshot->nodes[i];

	(void)fprintf(out, "<tr class=\"%s\"><th scope=\"row\">", node_state_to_string(node->state));
	html_text(out, node->name);
	if (node->backup)
		(void)fputs(" <small>backup</small>", out);
	(void)fputs("</th><td class=\"slots\">", out);
	write_bar(out, node);
	(void)fprintf(out, "<span class=\"count\" aria-hidden=\"true\">%" PRIu32 " of %" PRIu32 "</span></td><td class=\"what\">",
		      node->busy, node->cores);
	write_state(out, node);
	(void)fputc(' ', out);
	write_why(out, snapshot, node);
	(void)fprintf(out, "</td><td class=\"number\" data-name=\"speed\">%.2f</td><td class=\"number\" data-name=\"served\">",
		      node->speed);
	html_count(out, node->served);
	(void)fputs("</td><td class=\"number\" data-name=\"failed\">", out);
	html_count(out, node->failed);
	(void)fputs("</td><td class=\"number\" data-name=\"in / out\">", out);
	html_bytes(out, node->bytes_in);
	(void)fputs(" / ", out);
	html_bytes(out, node->bytes_out);
	(void)fputs("</td></tr>\n", out);
}

static void begin_nodes(FILE *out)
{
	(void)fputs("<section class=\"nodes\">\n<h2 id=\"nodes\">Nodes</h2>\n<table aria-labelledby=\"nodes\">\n"
		    "<thead><tr><th scope=\"col\">Node</th>"
		    "<th scope=\"col\">Cores</th><th scope=\"col\">State</th><th scope=\"col\" class=\"number\">Speed</th>"
		    "<th scope=\"col\" class=\"number\">Served</th><th scope=\"col\" class=\"number\">Failed</th>"
		    "<th scope=\"col\" class=\"number\">In / out</th></tr></thead>\n<tbody>\n", out);
}

static void end_nodes(FILE *out)
{
	(void)fputs("</tbody>\n</table>\n</section>\n", out);
}

static void write_title(FILE *out, const char *farm)
{
	(void)fputs("<header><h1>", out);
	html_text(out, farm);
	(void)fputs("</h1><p id=\"stale\" role=\"status\"></p></header>\n<main id=\"live\">\n", out);
}

/* Writes what stands before the nodes. */
static void write_top(FILE *out, const struct snapshot *snapshot)
{
	write_head(out, snapshot->farm);
	write_title(out, snapshot->farm);
	write_sentence(out, snapshot);
	write_troubles(out, snapshot);
	write_hour(out, snapshot);
	if (snapshot->n_nodes > 0)
		begin_nodes(out);
}

static void write_bottom(FILE *out, const struct snapshot *snapshot)
{
	if (snapshot->n_nodes > 0)
		end_nodes(out);
	(void)fputs("</main>\n", out);
	write_foot(out);
}

static bool write_part(FILE *out, const struct snapshot *snapshot, size_t part)
{
	static const struct form_frame frame = { write_top, write_node, write_bottom };

	return form_write_framed(out, snapshot, part, &frame);
}

const struct form page_form = { "text/html; charset=utf-8", write_part };

void page_write_trouble(FILE *out, const char *farm, const char *trouble)
{
	write_head(out, farm);
	write_title(out, farm);
	(void)fputs("<section class=\"sentence stopped\"><p class=\"word\">", out);
	html_text(out, trouble);
	(void)fputs("</p></section>\n</main>\n", out);
	write_foot(out);
}
