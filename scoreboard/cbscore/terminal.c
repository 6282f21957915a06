/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * terminal.c: a signal handler cannot call endwin(3), which may allocate, and may
 * be what was interrupted. So the bytes that end the full screen, and the modes
 * of the terminal before it, are kept beforehand; write(2) and tcsetattr(3) are
 * all that the handler calls.
 */

#include "terminal.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <term.h>

static struct termios modes;          /* of the terminal, before the full screen */
static char farewell[256];            /* what the terminal is sent to end the full screen */
static size_t n_farewell;
static char handler_stack[64 * 1024]; /* a stack that overflowed has no room for a handler */

static int keep_byte(int byte)
{
	if (n_farewell < sizeof(farewell))
		farewell[n_farewell++] = (char)byte;
	return byte;
}

/* Keeps a string of the terminal's description, if it has the string. */
static void keep(const char *name)
{
	const char *string = tigetstr(name);

	/* -1 says that curses does not know the word. */
	if (string && (intptr_t)string != -1)
		(void)tputs(string, 1, keep_byte);
}

static void give_back_and_die(int number)
{
	(void)!write(STDOUT_FILENO, farewell, n_farewell);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &modes);
	(void)raise(number); /* the signal has its default effect again, and is not deferred */
}

static void prepare_for_death(void)
{
	static const int numbers[] = {
		SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ, SIGPIPE, SIGALRM, SIGVTALRM,
		SIGPROF, SIGUSR1, SIGUSR2, SIGIO, SIGPWR, SIGSTKFLT,
	};
	const struct sigaction action = {
		.sa_handler = give_back_and_die, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK),
	};
	const stack_t stack = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };

	n_farewell = 0;
	keep("sgr0");  /* no colours */
	keep("rmkx");  /* keys as before */
	keep("cnorm"); /* the cursor is seen */
	keep("rmcup"); /* the screen as before */
	(void)sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
}

static bool can_move(void)
{
	const char *move = tigetstr("cup");

	return move && (intptr_t)move != -1;
}

SCREEN *terminal_take(void)
{
	SCREEN *screen;

	(void)tcgetattr(STDIN_FILENO, &modes);
	screen = newterm(NULL, stdout, stdin);
	if (screen && !can_move()) {
		terminal_give_back(screen);
		screen = NULL;
	}
	if (!screen)
		return NULL;
	prepare_for_death();
	(void)cbreak();
	(void)noecho();
	(void)curs_set(0);
	(void)keypad(stdscr, TRUE);
	(void)set_escdelay(50);
	return screen;
}

void terminal_give_back(SCREEN *screen)
{
	(void)endwin();
	delscreen(screen);
}
