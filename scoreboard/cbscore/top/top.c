/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * top.c: the verb top: the farm on a full screen, live. Once a second, and after
 * each key that changes something, it copies the scoreboard and draws the screen
 * from the copy. There are two views, of nodes and of connections. Each has a
 * list, through which a cursor moves.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "act.h"
#include "again.h"
#include "age.h"
#include "ending.h"
#include "command/fold.h"
#include "system/printable.h"
#include "system/timespan.h"
#include "terminal.h"
#include "verbs.h"
#include "web/snapshot.h"

#define REFRESH_MSEC 1000
#define FILTER_MAX 64
#define MESSAGE_MAX 256
#define QUEUE_SHOWN 8u
#define NAME_WIDTH_MIN 24 /* of names that need it; wide terminals show more of a name, as tables do */
#define BAR_WIDTH_MIN 6

enum sort { SORT_LIST, SORT_BUSY, SORT_SPEED, SORT_STATE, SORT_NAME, SORTS_ };

static const char *const sort_names[SORTS_] = { "list", "busy", "speed", "state", "name" };

enum color { COLOR_NONE, COLOR_UP, COLOR_DOWN, COLOR_HELD, COLOR_OTHER };

struct waiter {
	char client[SCORE_CLIENT_MAX + 1];
	uint64_t since_usec;
};

struct top {
	const struct context *context;
	struct score *score;
	struct snapshot snapshot;
	struct held_slots slots;       /* all connections that have a slot */
	struct waiter queue[QUEUE_SHOWN];
	size_t n_queue;
	size_t *shown;                 /* numbers of nodes or slots, filtered and sorted */
	size_t n_shown;
	size_t cursor, first;          /* in shown: the marked line, and the first line on the screen */
	bool connections;              /* the view of connections; else of nodes */
	char node[NODE_NAME_MAX + 1];  /* connections of this node only; empty: of all nodes */
	char filter[FILTER_MAX];
	char message[MESSAGE_MAX];     /* at the foot, until the next key */
	enum sort sort;
	uint64_t served, taken_usec;   /* of the previous copy, for the rate */
	double rate;
};

static volatile sig_atomic_t ended_by;      /* a signal that ends the program; 0: none came */
static volatile sig_atomic_t wants_stop;    /* Ctrl-Z */
static volatile sig_atomic_t was_continued;

static void on_signal(int number)
{
	if (number == SIGTSTP)
		wants_stop = 1;
	else if (number == SIGCONT)
		was_continued = 1;
	else
		ended_by = number;
}

/* ---- copying ---- */

static int add_waiter(const struct score_ticket_info *ticket, void *arg)
{
	struct top *top = arg;
	struct waiter *waiter = &top->queue[top->n_queue];

	if (top->n_queue == QUEUE_SHOWN)
		return 1;
	(void)snprintf(waiter->client, sizeof(waiter->client), "%s", ticket->client);
	waiter->since_usec = ticket->since_usec;
	top->n_queue++;
	return 0;
}

static int compare_shown(const void *a, const void *b, void *arg)
{
	const struct top *top = arg;
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const struct snapshot_node *m, *n;
	int r = 0;

	if (top->connections) {
		uint64_t s = top->slots.slots[x].since_usec, t = top->slots.slots[y].since_usec;

		return s != t ? (s > t) - (s < t) : (x > y) - (x < y);
	}
	m = &top->snapshot.nodes[x];
	n = &top->snapshot.nodes[y];
	switch (top->sort) {
	case SORT_BUSY:
		r = (m->busy < n->busy) - (m->busy > n->busy);
		break;
	case SORT_SPEED:
		r = (m->speed < n->speed) - (m->speed > n->speed);
		break;
	case SORT_STATE:
		r = (n->state > m->state) - (n->state < m->state);
		break;
	case SORT_NAME:
		r = strcmp(m->name, n->name);
		break;
	default:
		break;
	}
	return r ? r : (x > y) - (x < y);
}

static bool is_shown(const struct top *top, size_t i)
{
	const struct held_slot *slot;

	if (!top->connections)
		return !*top->filter || strcasestr(top->snapshot.nodes[i].name, top->filter) ||
		       strcasestr(node_state_to_string(top->snapshot.nodes[i].state), top->filter);
	slot = &top->slots.slots[i];
	return (!*top->node || strcmp(top->node, slot->node) == 0) &&
	       (!*top->filter || strcasestr(slot->client, top->filter) || strcasestr(slot->node, top->filter));
}

/* Chooses and sorts the lines of the list. 0 or -ENOMEM. */
static int arrange(struct top *top)
{
	size_t n = top->connections ? top->slots.n : top->snapshot.n_nodes;
	size_t *shown = reallocarray(top->shown, n + 1, sizeof(*shown));

	if (!shown)
		return -ENOMEM;
	top->shown = shown;
	top->n_shown = 0;
	for (size_t i = 0; i < n; i++)
		if (is_shown(top, i))
			top->shown[top->n_shown++] = i;
	qsort_r(top->shown, top->n_shown, sizeof(*top->shown), compare_shown, top);
	if (top->cursor >= top->n_shown)
		top->cursor = top->n_shown > 0 ? top->n_shown - 1 : 0;
	return 0;
}

static void clean(struct top *top)
{
	for (size_t i = 0; i < top->slots.n; i++)
		printable(top->slots.slots[i].client, '?');
	for (size_t i = 0; i < top->n_queue; i++)
		printable(top->queue[i].client, '?');
}

static int copy(struct top *top)
{
	uint64_t now_usec;
	int r;

	snapshot_clear(&top->snapshot);
	free(top->slots.slots);
	top->slots = (struct held_slots){ 0 };
	top->n_queue = 0;
	r = snapshot_take(top->score, top->context->farm_shown, &top->snapshot) ?:
	    held_slots_find(top->score, NULL, NULL, &top->slots) ?:
	    score_each_ticket(top->score, add_waiter, top);
	if (r < 0)
		return r;
	clean(top);
	now_usec = now_monotonic();
	if (top->taken_usec && now_usec > top->taken_usec)
		top->rate = (double)(top->snapshot.history.served - top->served) * (double)USEC_PER_SEC /
			    (double)(now_usec - top->taken_usec);
	top->served = top->snapshot.history.served;
	top->taken_usec = now_usec;
	return arrange(top);
}

/* ---- drawing ---- */

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

static void draw_head(const struct top *top)
{
	const struct score_totals *totals = &top->snapshot.totals;
	char text[512], age[AGE_MAX], oldest[AGE_MAX + 16] = "";

	if (totals->waiting > 0)
		(void)snprintf(oldest, sizeof(oldest), " (oldest %s)", age_format(age_of(totals->oldest_since_usec), age));
	(void)snprintf(text, sizeof(text), "%s%s: %" PRIu64 "/%" PRIu64 " busy, %" PRIu64 " waiting%s, %" PRIu32 "/%" PRIu32
		       " up, %.1f/s", top->snapshot.farm,
		       totals->paused ? " PAUSED" : totals->lapsed ? " LEASE OVER" : "", totals->busy, totals->slots,
		       totals->waiting, oldest, totals->nodes_up, totals->nodes, top->rate);
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

static void draw_foot(const struct top *top)
{
	char text[1024], age[AGE_MAX];
	int used;

	used = snprintf(text, sizeof(text), "queue: %" PRIu64, top->snapshot.totals.waiting);
	for (size_t i = 0; i < top->n_queue && used > 0 && (size_t)used < sizeof(text); i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, "%s %s %s", i ? "," : ":",
				 top->queue[i].client, age_format(age_of(top->queue[i].since_usec), age));
	put(LINES - 2, text);
	if (*top->message)
		(void)snprintf(text, sizeof(text), "%s", top->message);
	else if (top->connections)
		(void)snprintf(text, sizeof(text), "q quit  Esc nodes  k end  / filter%s%s", *top->filter ? ": " : "", top->filter);
	else
		(void)snprintf(text, sizeof(text), "q quit  h hold  u up  Enter connections  e explain  s sort: %s  / filter%s%s",
			       sort_names[top->sort], *top->filter ? ": " : "", top->filter);
	(void)attron(A_REVERSE);
	put(LINES - 1, text);
	(void)attroff(A_REVERSE);
}

/* The number of lines that the list has on the screen. */
static size_t list_lines(void)
{
	return LINES > 4 ? (size_t)LINES - 4 : 1;
}

static int name_width(const struct top *top)
{
	int width = 4, most = COLS * 2 / 5 > NAME_WIDTH_MIN ? COLS * 2 / 5 : NAME_WIDTH_MIN;

	for (size_t i = 0; i < top->snapshot.n_nodes; i++)
		if ((int)strlen(top->snapshot.nodes[i].name) > width)
			width = (int)strlen(top->snapshot.nodes[i].name);
	if (width > most)
		width = most;
	return width > COLS / 2 ? COLS / 2 : width;
}

static void draw(struct top *top)
{
	size_t lines = list_lines();
	int width = name_width(top);
	char text[512];

	if (top->cursor < top->first)
		top->first = top->cursor;
	if (top->cursor >= top->first + lines)
		top->first = top->cursor - lines + 1;
	(void)erase();
	draw_head(top);
	if (top->connections)
		(void)snprintf(text, sizeof(text), " AGE  SLOT  CLIENT%s%s", *top->node ? "   of " : "", top->node);
	else
		(void)snprintf(text, sizeof(text), "%-*.*s  BUSY/CORES %s", width, width, "NODE", COLS >= 60 ? "STATE" : "");
	(void)attron(A_UNDERLINE);
	put(1, text);
	(void)attroff(A_UNDERLINE);
	for (size_t i = 0; i < lines && top->first + i < top->n_shown; i++) {
		size_t number = top->shown[top->first + i];
		int y = 2 + (int)i;

		if (y >= LINES - 2 && LINES > 4)
			break;
		if (top->connections)
			draw_connection(y, &top->slots.slots[number]);
		else
			draw_node(y, &top->snapshot.nodes[number], width);
		if (top->first + i == top->cursor && y < LINES)
			(void)mvchgat(y, 0, -1, A_REVERSE, 0, NULL);
	}
	draw_foot(top);
	(void)refresh();
}

/* ---- keys ---- */

/* Asks at the foot of the screen. Returns whether the answer is y. */
static bool asks(struct top *top, const char *question)
{
	int key;

	(void)snprintf(top->message, sizeof(top->message), "%s (y/n)", question);
	draw(top);
	do {
		key = getch();
	} while (key == ERR && !ended_by);
	*top->message = '\0';
	return key == 'y' || key == 'Y';
}

/* Reads a line of text at the foot of the screen, which Enter ends. */
static void read_filter(struct top *top)
{
	size_t length = 0;
	int key;

	*top->filter = '\0';
	for (;;) {
		(void)snprintf(top->message, sizeof(top->message), "filter: %s_", top->filter);
		(void)arrange(top);
		draw(top);
		key = getch();
		if (key == '\n' || key == KEY_ENTER || key == 27 || ended_by)
			break;
		if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && length > 0)
			top->filter[--length] = '\0';
		else if (key > ' ' && key < 127 && length + 1 < sizeof(top->filter)) {
			top->filter[length++] = (char)key;
			top->filter[length] = '\0';
		}
	}
	if (key == 27)
		*top->filter = '\0';
	*top->message = '\0';
}

static void hold_or_release(struct top *top, bool hold)
{
	const struct snapshot_node *node;
	char question[NODE_NAME_MAX + 64];
	int r;

	if (top->connections || top->n_shown == 0)
		return;
	node = &top->snapshot.nodes[top->shown[top->cursor]];
	(void)snprintf(question, sizeof(question), hold ? "Hold %s?" : "Put %s back?", node->name);
	if (!asks(top, question))
		return;
	r = hold ? score_hold(top->score, node->name, NULL) : score_unhold(top->score, node->name);
	if (r == 0) {
		act_tell(hold ? "down" : "up", node->name, NULL, hold ? "held" : "no longer held");
		(void)score_save_holds(top->score); /* a failure is told when the program ends */
	}
	(void)snprintf(top->message, sizeof(top->message), "%s %s", node->name,
		       r < 0 ? score_strerror(r) : hold ? r ? "is already held" : "is held" : r ? "was not held" : "is no longer held");
}

static void end_connection(struct top *top)
{
	const struct held_slot *slot;
	char question[NODE_NAME_MAX + SCORE_CLIENT_MAX + 64], age[AGE_MAX];
	int r;

	if (!top->connections || top->n_shown == 0) {
		(void)snprintf(top->message, sizeof(top->message), "Enter shows a node's connections; k there ends the marked one");
		return;
	}
	slot = &top->slots.slots[top->shown[top->cursor]];
	(void)snprintf(question, sizeof(question), "End the connection of %s, %s old?", slot->client,
		       age_format(age_of(slot->since_usec), age));
	if (!asks(top, question))
		return;
	r = held_slot_end(top->score, slot);
	if (r == 0)
		held_slot_note_end(slot);
	(void)snprintf(top->message, sizeof(top->message), "%s: %s", slot->client,
		       r == 0 ? "is ended" : r > 0 ? "had ended already" : held_slot_strerror(r));
}

/* Runs the verb explain, which prints as always; a key brings the screen back. */
static void explain(struct top *top)
{
	(void)def_prog_mode();
	(void)endwin();
	print(stdout, "\n");
	(void)again_run(top->context, (char *const[]){ (char *)(uintptr_t)"explain", NULL });
	print(stdout, "\nPress a key.\n");
	(void)fflush(stdout);
	(void)reset_prog_mode();
	timeout(-1);
	(void)getch();
	timeout(REFRESH_MSEC);
	(void)clearok(stdscr, TRUE);
}

static void move_cursor(struct top *top, long by)
{
	long to = (long)top->cursor + by;

	if (to >= (long)top->n_shown)
		to = (long)top->n_shown - 1;
	top->cursor = to > 0 ? (size_t)to : 0;
}

static void show_connections(struct top *top, bool connections)
{
	*top->node = '\0';
	if (connections && !top->connections && top->n_shown > 0)
		(void)snprintf(top->node, sizeof(top->node), "%s", top->snapshot.nodes[top->shown[top->cursor]].name);
	top->connections = connections;
	top->cursor = top->first = 0;
	*top->filter = '\0';
}

/* Does what a key asks for. Returns whether to go on. */
static bool act(struct top *top, int key)
{
	if (key != ERR)
		*top->message = '\0';
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case KEY_UP:
		move_cursor(top, -1);
		break;
	case KEY_DOWN:
	case 'j':
		move_cursor(top, 1);
		break;
	case KEY_PPAGE:
		move_cursor(top, -(long)list_lines());
		break;
	case KEY_NPAGE:
	case ' ':
		move_cursor(top, (long)list_lines());
		break;
	case KEY_HOME:
	case 'g':
		top->cursor = 0;
		break;
	case KEY_END:
	case 'G':
		move_cursor(top, (long)top->n_shown);
		break;
	case '\n':
	case KEY_ENTER:
		show_connections(top, true);
		break;
	case 27:
	case 'n':
		show_connections(top, false);
		break;
	case 's':
		top->sort = (top->sort + 1) % SORTS_;
		break;
	case '/':
		read_filter(top);
		break;
	case 'h':
		hold_or_release(top, true);
		break;
	case 'u':
		hold_or_release(top, false);
		break;
	case 'k':
		end_connection(top);
		break;
	case 'e':
		explain(top);
		break;
	case KEY_RESIZE:
		(void)clearok(stdscr, TRUE);
		break;
	default:
		break;
	}
	return true;
}

static void start_colors(void)
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

static void catch_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT };
	const struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
}

/* Stops after Ctrl-Z, with the terminal as it was before; not within an operation on the scoreboard, where a process that
 * is stopped holds up all others. Whatever stopped the process, the screen is drawn anew when it goes on. */
static void stop_and_go_on(void)
{
	if (wants_stop) {
		wants_stop = 0;
		(void)endwin();
		(void)raise(SIGSTOP);
	}
	if (was_continued) {
		was_continued = 0;
		(void)reset_prog_mode();
		(void)clearok(curscr, TRUE);
	}
}

/* Takes over the terminal's size. curses does so at SIGWINCH, but misses a change while it starts. */
static void follow_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0 ||
	    (size.ws_row == LINES && size.ws_col == COLS))
		return;
	(void)resizeterm(size.ws_row, size.ws_col);
	(void)clearok(curscr, TRUE);
}

static int watch(struct top *top)
{
	int r;

	do {
		stop_and_go_on();
		follow_size();
		r = copy(top);
		if (r == 0)
			draw(top);
	} while (r == 0 && !ended_by && act(top, getch()) && !ended_by);
	return r;
}

static int needs_terminal(const struct context *context)
{
	(void)context;
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? STATUS_OK : complain_usage("expected a terminal");
}

static int top(const struct context *context, struct score *score)
{
	struct top top = { .context = context, .score = score };
	SCREEN *screen = terminal_take();
	int r;

	if (!screen)
		return complain_usage("$TERM: \"%s\": expected a terminal that is known", getenv("TERM") ? getenv("TERM") : "");
	catch_signals();
	timeout(REFRESH_MSEC);
	start_colors();
	r = watch(&top);
	terminal_give_back(screen);
	snapshot_clear(&top.snapshot);
	free(top.slots.slots);
	free(top.shown);
	if (ended_by) {
		/* The terminal is restored; now the signal has its default effect. */
		(void)signal(ended_by, SIG_DFL);
		(void)raise(ended_by);
	}
	return r;
}

const struct action verb_top = {
	.verb = {
		.name = "top", .arguments = "", .also = "watch monitor",
		.help = "the farm on a full screen, live",
	},
	.read = needs_terminal, .look = top,
};
