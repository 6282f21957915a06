/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * quit.c: the handler never returns. So there is no flag to look at, and no call
 * before which the signal could come too early.
 */

#include "quit.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void (*say_last_words)(void);
static bool hangup_is_kept;

static void on_end(int signal)
{
	say_last_words();
	if (signal == SIGTERM)
		_exit(0);
	/* Ends by the signal after all, as its sender expects: SA_RESETHAND has removed the handler. */
	(void)raise(signal);
}

static void set_mask(int how)
{
	sigset_t ending;

	(void)sigemptyset(&ending);
	(void)sigaddset(&ending, SIGTERM);
	(void)sigaddset(&ending, SIGINT);
	if (!hangup_is_kept)
		(void)sigaddset(&ending, SIGHUP);
	(void)pthread_sigmask(how, &ending, NULL);
}

/* A signal that was ignored when this process started, as under nohup(1), stays ignored. */
static void handle(int signal)
{
	const struct sigaction action = { .sa_handler = on_end, .sa_flags = SA_RESETHAND };
	struct sigaction before;

	if (signal == SIGTERM || (sigaction(signal, NULL, &before) == 0 && before.sa_handler != SIG_IGN))
		(void)sigaction(signal, &action, NULL);
}

void quit_setup(void (*last_words)(void), bool keep_hangup)
{
	sigset_t hangup;

	say_last_words = last_words;
	hangup_is_kept = keep_hangup;
	(void)sigemptyset(&hangup);
	(void)sigaddset(&hangup, SIGHUP);
	if (keep_hangup)
		(void)pthread_sigmask(SIG_BLOCK, &hangup, NULL);
	else
		handle(SIGHUP);
	handle(SIGINT);
	handle(SIGTERM);
	quit_allow();
}

void quit_deny(void)
{
	set_mask(SIG_BLOCK);
}

void quit_allow(void)
{
	set_mask(SIG_UNBLOCK);
}
