/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * top.c: the verb top: the farm on a full screen, live. Once a second, and after
 * each key that changes something, it copies the scoreboard (view.c) and draws the
 * screen from the copy (screen.c). Here are the keys, and what signals do.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cbscore/act.h"
#include "cbscore/again.h"
#include "cbscore/age.h"
#include "cbscore/ending.h"
#include "cbscore/terminal.h"
#include "cbscore/verbs.h"
#include "screen.h"
#include "system/printable.h"
#include "view.h"

#define REFRESH_MSEC 1000

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

/* Asks at the foot of the screen. Returns whether the answer is y. */
static bool asks(struct view *view, const char *question)
{
	int key;

	(void)snprintf(view->message, sizeof(view->message), "%s (y/n)", question);
	screen_draw(view);
	do {
		key = getch();
	} while (key == ERR && !ended_by);
	*view->message = '\0';
	return key == 'y' || key == 'Y';
}

/* Reads a line of text at the foot of the screen, which Enter ends. */
static void read_filter(struct view *view)
{
	size_t length = 0;
	int key;

	*view->filter = '\0';
	for (;;) {
		(void)snprintf(view->message, sizeof(view->message), "filter: %s_", view->filter);
		(void)view_arrange(view);
		screen_draw(view);
		key = getch();
		if (key == '\n' || key == KEY_ENTER || key == 27 || ended_by)
			break;
		if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && length > 0)
			view->filter[--length] = '\0';
		else if (key > ' ' && key < 127 && length + 1 < sizeof(view->filter)) {
			view->filter[length++] = (char)key;
			view->filter[length] = '\0';
		}
	}
	if (key == 27)
		*view->filter = '\0';
	*view->message = '\0';
}

static void hold_or_release(struct view *view, bool hold)
{
	static const char *const outcomes[2][2] = { { "is no longer held", "was not held" }, { "is held", "is already held" } };
	const struct snapshot_node *node;
	char question[NODE_NAME_MAX + 64];
	int r;

	if (view->connections || view->n_shown == 0)
		return;
	node = &view->snapshot.nodes[view->shown[view->cursor]];
	(void)snprintf(question, sizeof(question), hold ? "Hold %s?" : "Put %s back?", node->name);
	if (!asks(view, question))
		return;
	r = hold ? score_hold(view->score, node->name, NULL) : score_unhold(view->score, node->name);
	if (r == 0) {
		act_tell(hold ? "down" : "up", node->name, NULL, hold ? "held" : "no longer held");
		(void)score_save_holds(view->score); /* a failure is told when the program ends */
	}
	(void)snprintf(view->message, sizeof(view->message), "%s %s", node->name, r < 0 ? score_strerror(r) : outcomes[hold][r > 0]);
}

static void end_connection(struct view *view)
{
	const struct held_slot *slot;
	char question[NODE_NAME_MAX + SCORE_CLIENT_MAX + 64], age[AGE_MAX];
	int r;

	if (!view->connections || view->n_shown == 0) {
		(void)snprintf(view->message, sizeof(view->message), "Enter shows a node's connections; k there ends the marked connection");
		return;
	}
	slot = &view->slots.slots[view->shown[view->cursor]];
	(void)snprintf(question, sizeof(question), "End the connection of %s, %s old?", slot->client,
		       age_format(age_of(slot->since_usec), age));
	if (!asks(view, question))
		return;
	r = held_slot_end(view->score, slot);
	if (r == 0)
		held_slot_note_end(slot);
	(void)snprintf(view->message, sizeof(view->message), "%s: %s", slot->client,
		       r == 0 ? "is ended" : r > 0 ? "had ended already" : held_slot_strerror(r));
}

/* Runs the verb explain, which prints as always; a key brings the screen back. */
static void explain(struct view *view)
{
	(void)def_prog_mode();
	(void)endwin();
	print(stdout, "\n");
	(void)again_run(view->context, (char *const[]){ (char *)(uintptr_t)"explain", NULL });
	print(stdout, "\nPress a key.\n");
	(void)fflush(stdout);
	(void)reset_prog_mode();
	timeout(-1);
	(void)getch();
	timeout(REFRESH_MSEC);
	(void)clearok(stdscr, TRUE);
}

static void move_cursor(struct view *view, long by)
{
	long to = (long)view->cursor + by;

	if (to >= (long)view->n_shown)
		to = (long)view->n_shown - 1;
	view->cursor = to > 0 ? (size_t)to : 0;
}

static void show_connections(struct view *view, bool connections)
{
	*view->node = '\0';
	if (connections && !view->connections && view->n_shown > 0)
		(void)snprintf(view->node, sizeof(view->node), "%s", view->snapshot.nodes[view->shown[view->cursor]].name);
	view->connections = connections;
	view->cursor = view->first = 0;
	*view->filter = '\0';
}

/* Does what a key asks for. Returns whether to go on. */
static bool act(struct view *view, int key)
{
	if (key != ERR)
		*view->message = '\0';
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case KEY_UP:
		move_cursor(view, -1);
		break;
	case KEY_DOWN:
	case 'j':
		move_cursor(view, 1);
		break;
	case KEY_PPAGE:
		move_cursor(view, -(long)screen_list_lines(view));
		break;
	case KEY_NPAGE:
	case ' ':
		move_cursor(view, (long)screen_list_lines(view));
		break;
	case KEY_HOME:
	case 'g':
		view->cursor = 0;
		break;
	case KEY_END:
	case 'G':
		move_cursor(view, (long)view->n_shown);
		break;
	case '\n':
	case KEY_ENTER:
		show_connections(view, true);
		break;
	case 27:
	case 'n':
		show_connections(view, false);
		break;
	case 's':
		view->sort = (view->sort + 1) % SORTS_;
		break;
	case '/':
		read_filter(view);
		break;
	case 'h':
		hold_or_release(view, true);
		break;
	case 'u':
		hold_or_release(view, false);
		break;
	case 'k':
		end_connection(view);
		break;
	case 'e':
		explain(view);
		break;
	case KEY_RESIZE:
		(void)clearok(stdscr, TRUE);
		break;
	default:
		break;
	}
	return true;
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

static int watch(struct view *view)
{
	int r;

	do {
		stop_and_go_on();
		follow_size();
		r = view_copy(view);
		if (r == 0)
			screen_draw(view);
	} while (r == 0 && !ended_by && act(view, getch()) && !ended_by);
	return r;
}

static int needs_terminal(const struct context *context)
{
	(void)context;
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? STATUS_OK : complain_usage("expected a terminal");
}

static int top(const struct context *context, struct score *score)
{
	struct view view = { .context = context, .score = score };
	SCREEN *screen = terminal_take();
	int r;

	if (!screen)
		return complain_usage("$TERM: \"%s\": expected a terminal that is known", getenv("TERM") ? getenv("TERM") : "");
	catch_signals();
	timeout(REFRESH_MSEC);
	screen_start_colors();
	r = watch(&view);
	terminal_give_back(screen);
	view_clear(&view);
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
