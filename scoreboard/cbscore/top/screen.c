/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * screen.c: at the top of the screen stands the farm in a line, at its foot why
 * cores are kept, the queue and a line of keys or a message, and between them the list. What does not
 * fit into the columns is cut.
 */

#include "screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cbscore/age.h"
#include "cbscore/kept.h"
#include "cbscore/terminal.h"
#include "command/fold.h"
#include "system/printable.h"

#define NAME_WIDTH_MIN 24 /* of names that need it; wide terminals show more of a name, as tables do */
#define BAR_WIDTH_MIN 6

static const char *const sort_names[SORTS_] = { "list", "busy", "speed", "state", "name" };

enum color { COLOR_NONE, COLOR_UP, COLOR_DOWN, COLOR_HELD, COLOR_OTHER };

void screen_start_colors(void)
{
	const char *none = getenv("NO_COLOR");

	if ((none && *none) || !has_colors() || start_color() == ERR)
		return;
	(void)use_default_colors();
	(void)init_pair(COLOR_UP, COLOR_GREEN, -1);
	(void)init_pair(COLOR_DOWN, COLOR_RED, -1);
	(void)init_pair(COLOR_HELD, COLOR_YELLOW, -1);
	(void)init_pair(COLOR_OTHER, COLOR_CYAN, -1);
}

/* Draws as much of the text as fits in that many columns from column x on. */
static void put_at(int y, int x, const char *text, int width)
{
	char shown[1024];

	if (y < 0 || y >= LINES || width <= 0)
		return;
	(void)snprintf(shown, sizeof(shown), "%s", text);
	printable(shown, '?');
	(void)mvaddnstr(y, x, shown, (int)text_fitting(shown, (size_t)width));
}

static void put(int y, const char *text)
{
	put_at(y, 0, text, COLS);
}

static attr_t color_of(enum node_state state)
{
	enum color color = state == NODE_UP ? COLOR_UP : state == NODE_DOWN ? COLOR_DOWN :
			   state == NODE_HELD ? COLOR_HELD : COLOR_OTHER;

	return has_colors() ? (attr_t)COLOR_PAIR(color) : 0;
}

static void draw_head(const struct view *view)
{
	const struct score_totals *totals = &view->snapshot.totals;
	char text[512], age[AGE_MAX], oldest[AGE_MAX + 16] = "";

	if (totals->waiting > 0)
		(void)snprintf(oldest, sizeof(oldest), " (oldest %s)", age_format(age_of(totals->oldest_since_usec), age));
	(void)snprintf(text, sizeof(text), "%s%s: %" PRIu64 "/%" PRIu64 " busy, %" PRIu64 " waiting%s, %" PRIu32 "/%" PRIu32
		       " up, %.1f/s", view->snapshot.farm,
		       totals->paused ? " PAUSED" : totals->lapsed ? " LEASE OVER" : "", totals->busy, totals->slots,
		       totals->waiting, oldest, totals->nodes_up, totals->nodes, view->rate);
	(void)attron(A_BOLD);
	put(0, text);
	(void)attroff(A_BOLD);
}

/* Draws a sign for each slot; if there are more slots than columns, for each group of slots. */
static void draw_bar(int y, int x, int width, const struct snapshot_node *node)
{
	uint32_t slots = node->busy > node->cores ? node->busy : node->cores;
	int signs = slots < (uint32_t)width ? (int)slots : width;
	int busy = slots > 0 ? (int)(((uint64_t)node->busy * (unsigned)signs + slots - 1) / slots) : 0;

	for (int i = 0; i < signs; i++)
		(void)mvaddch(y, x + i, (i < busy ? (chtype)'|' : (chtype)'.') | color_of(node->state));
}

static void draw_node(int y, const struct snapshot_node *node, int name_width)
{
	char text[512], name[NODE_NAME_MAX + 1];
	bool wide = COLS >= 60;
	int width, rest;

	(void)snprintf(text, sizeof(text), "%-*.*s %5" PRIu32 "/%-5" PRIu32, name_width, name_width,
		       fold_name(node->name, (size_t)name_width, name, sizeof(name)), node->busy, node->cores);
	put(y, text);
	if (wide && name_width + 13 < COLS) {
		(void)attron(color_of(node->state));
		put_at(y, name_width + 13, node_state_to_string(node->state), COLS - name_width - 13);
		(void)attroff(color_of(node->state));
	}
	rest = wide ? name_width + 22 : name_width + 13;
	/* The reason stands beside the bar if there is room for both. */
	if (*node->why && COLS - rest > 50)
		put_at(y, rest + (COLS - rest) / 2, node->why, COLS - rest - (COLS - rest) / 2);
	width = *node->why && COLS - rest > 50 ? (COLS - rest) / 2 - 1 : COLS - rest;
	if (node->state != NODE_UP && *node->why && COLS - rest <= 50 && node->busy == 0 && rest < COLS)
		put_at(y, rest, node->why, COLS - rest);
	else if (width >= BAR_WIDTH_MIN)
		draw_bar(y, rest, width, node);
}

static void draw_connection(int y, const struct held_slot *slot)
{
	char text[512], age[AGE_MAX];

	(void)snprintf(text, sizeof(text), "%4s  %s/%" PRIu32 "  %s%s", age_format(age_of(slot->since_usec), age), slot->node,
		       slot->slot, slot->client, slot->taken ? "" : "  (granted)");
	put(y, text);
}

/* Whether the foot has a line that says why connections wait though cores are free. */
static bool tells_kept(const struct view *view)
{
	return view->snapshot.totals.kept > 0 && LINES > 5;
}

static void draw_foot(const struct view *view)
{
	const struct score_totals *totals = &view->snapshot.totals;
	char text[1024], age[AGE_MAX], kept[KEPT_MAX];
	int used;

	if (tells_kept(view))
		put(LINES - 3, kept_format(totals->kept, totals->kept_usec, kept));
	used = snprintf(text, sizeof(text), "queue: %" PRIu64, totals->waiting);
	for (size_t i = 0; i < view->n_queue && used > 0 && (size_t)used < sizeof(text); i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, "%s %s %s", i ? "," : ":",
				 view->queue[i].client, age_format(age_of(view->queue[i].since_usec), age));
	put(LINES - 2, text);
	if (*view->message)
		(void)snprintf(text, sizeof(text), "%s", view->message);
	else if (view->connections)
		(void)snprintf(text, sizeof(text), "q quit  Esc nodes  k end  / filter%s%s", *view->filter ? ": " : "", view->filter);
	else
		(void)snprintf(text, sizeof(text), "q quit  h hold  u up  Enter connections  e explain  s sort: %s  / filter%s%s",
			       sort_names[view->sort], *view->filter ? ": " : "", view->filter);
	(void)attron(A_REVERSE);
	put(LINES - 1, text);
	(void)attroff(A_REVERSE);
}

size_t screen_list_lines(const struct view *view)
{
	return LINES > 4 ? (size_t)LINES - 4 - tells_kept(view) : 1;
}

static int name_width(const struct view *view)
{
	int width = 4, most = COLS * 2 / 5 > NAME_WIDTH_MIN ? COLS * 2 / 5 : NAME_WIDTH_MIN;

	for (size_t i = 0; i < view->snapshot.n_nodes; i++)
		if ((int)strlen(view->snapshot.nodes[i].name) > width)
			width = (int)strlen(view->snapshot.nodes[i].name);
	if (width > most)
		width = most;
	return width > COLS / 2 ? COLS / 2 : width;
}

void screen_draw(struct view *view)
{
	size_t lines = screen_list_lines(view);
	int width = name_width(view);
	char text[512];

	if (view->cursor < view->first)
		view->first = view->cursor;
	if (view->cursor >= view->first + lines)
		view->first = view->cursor - lines + 1;
	(void)erase();
	draw_head(view);
	if (view->connections)
		(void)snprintf(text, sizeof(text), " AGE  SLOT  CLIENT%s%s", *view->node ? "   of " : "", view->node);
	else
		(void)snprintf(text, sizeof(text), "%-*.*s  BUSY/CORES %s", width, width, "NODE", COLS >= 60 ? "STATE" : "");
	(void)attron(A_UNDERLINE);
	put(1, text);
	(void)attroff(A_UNDERLINE);
	for (size_t i = 0; i < lines && view->first + i < view->n_shown; i++) {
		size_t number = view->shown[view->first + i];
		int y = 2 + (int)i;

		if (y >= LINES - 2 && LINES > 4)
			break;
		if (view->connections)
			draw_connection(y, &view->slots.slots[number]);
		else
			draw_node(y, &view->snapshot.nodes[number], width);
		if (view->first + i == view->cursor && y < LINES)
			(void)mvchgat(y, 0, -1, A_REVERSE, 0, NULL);
	}
	draw_foot(view);
	(void)refresh();
}
