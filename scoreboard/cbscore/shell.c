/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * shell.c: the verb shell, and -i: runs commands from standard input, line by
 * line. A line is a verb with its arguments, or Core Balance's letters: b nodes,
 * c connections, t relays, v with a number verbosity. Other characters may stand
 * between letters. On a terminal there are readline(3), history and completion.
 * Each verb runs in a process of its own.
 */

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "again.h"
#include "charset.h"
#include "completion.h"
#include "list/words.h"
#include "verbs.h"

/* ---- letters ---- */

static int run_verb(const struct context *context, const char *verb)
{
	return again_run(context, (char *const[]){ (char *)(uintptr_t)verb, NULL });
}

static int run_relays(const struct context *context)
{
	return again_run(context, (char *const[]){ (char *)(uintptr_t)"slots", (char *)(uintptr_t)"-o",
						   (char *)(uintptr_t)"pid,client,node,age", (char *)(uintptr_t)"--sort",
						   (char *)(uintptr_t)"pid", NULL });
}

/* Sets the verbosity to the number that *text begins with, and moves *text behind it. Without a number it is shown. */
static int run_verbosity(const struct context *context, const char **text)
{
	size_t length = strspn(*text, "0123456789");
	char number[24];
	char *words[] = { (char *)(uintptr_t)"verbosity", length > 0 ? number : NULL, NULL };

	(void)snprintf(number, sizeof(number), "%.*s", (int)length, *text);
	*text += length;
	return again_run(context, words);
}

/* Runs the verb of each letter of a line in turn. Returns the status of the last. */
static int run_letters(const struct context *context, const char *line)
{
	int status = STATUS_OK;

	for (const char *p = line; *p;) {
		switch (*p++) {
		case 'b':
			status = run_verb(context, "list");
			break;
		case 'c':
			status = run_verb(context, "slots");
			if (status == STATUS_OK)
				status = run_verb(context, "queue");
			break;
		case 't':
			status = run_relays(context);
			break;
		case 'v':
			status = run_verbosity(context, &p);
			break;
		default: /* a separator between letters */
			break;
		}
	}
	return status;
}

/* Whether a line has only letters and what separates them. */
static bool is_letters(const char *line)
{
	bool any = false;

	for (; *line; line++) {
		if (isalpha((unsigned char)*line) && !strchr("bctv", *line))
			return false;
		any |= isalpha((unsigned char)*line) != 0;
	}
	return any;
}

/* ---- lines ---- */

static bool is_end(const char *word)
{
	return strcmp(word, "quit") == 0 || strcmp(word, "exit") == 0 || strcmp(word, "q") == 0;
}

/* Runs a verb with its arguments. Returns the status; -1: the words ask for the end. */
static int run_words(const struct context *context, char *const words[])
{
	int r;

	if (!words[0])
		return STATUS_OK;
	if (is_end(words[0]))
		return -1;
	if (strcmp(words[0], "shell") == 0) {
		complain("this is the shell");
		return STATUS_USAGE;
	}
	r = again_run(context, words);
	if (r < 0)
		complain("%s: %s", words[0], strerror(-r));
	return r < 0 ? STATUS_FAILED : r;
}

/* Runs a line, and changes it. Returns as run_words(). */
static int run_line(const struct context *context, char *line)
{
	size_t room = strlen(line) / 2 + 2; /* a word has a byte, and a blank behind it */
	char **words;
	int status;

	line += strspn(line, " \t");
	if (is_letters(line))
		return run_letters(context, line);
	words = calloc(room, sizeof(*words));
	if (!words || words_split(line, words, room) < 0) {
		complain("%s", words ? "expected an end of what is quoted" : strerror(ENOMEM));
		status = words ? STATUS_USAGE : STATUS_FAILED;
	} else {
		status = run_words(context, words);
	}
	free(words);
	return status;
}

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/* readline calls it after a signal that it has passed on: Ctrl-C drops the line that is being written. */
static int drop_line(void)
{
	if (interrupted) {
		interrupted = 0;
		rl_replace_line("", 0);
		(void)rl_crlf();
		(void)rl_on_new_line();
		rl_redisplay();
	}
	return 0;
}

/* From now on Ctrl-C ends what is being written, or the verb that runs, and not the shell. */
static void catch_interrupt(void)
{
	(void)signal(SIGINT, on_interrupt);
	rl_signal_event_hook = drop_line;
}

/* ---- the loop ---- */

/* Reads the next line, which the caller frees; NULL at the end of input, or when it cannot be read (*ret_error). */
static char *read_line(bool on_terminal, int *ret_error)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (on_terminal) {
		line = readline("cbscore> ");
		charset_settle();
		if (line && *line)
			add_history(line);
		return line;
	}
	errno = 0;
	n = getline(&line, &room, stdin);
	if (n < 0) {
		*ret_error = errno; /* 0 at the end of input */
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static int shell(const struct context *context)
{
	bool on_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	int status = STATUS_OK, error = 0;
	char *line;

	completion_use(context);
	if (on_terminal)
		catch_interrupt();
	while (status >= 0 && (line = read_line(on_terminal, &error))) {
		/* A line without a word is no command: the status stays that of the last command. */
		int r = line[strspn(line, " \t\r\v\f")] == '\0' ? status : run_line(context, line);

		free(line);
		if (r < 0)
			return status;
		status = r;
	}
	if (on_terminal)
		(void)putchar('\n');
	if (error != 0) {
		complain("standard input: %s", strerror(error));
		return STATUS_FAILED;
	}
	return status;
}

const struct action verb_shell = {
	.verb = {
		.name = "shell", .arguments = "", .also = "interactive",
		.help = "read verbs and Core Balance's letters, a line each",
	},
	.run = shell,
};
