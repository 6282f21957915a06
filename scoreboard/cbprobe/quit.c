/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * quit.c: since the handler never returns, there is no flag to be looked at
 * and no call that it could come too early for.
 */

#include "quit.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void on_sigterm(int signal)
{
	(void)signal;
	_exit(0);
}

static void set_mask(int how)
{
	sigset_t ending;

	(void)sigemptyset(&ending);
	(void)sigaddset(&ending, SIGTERM);
	(void)sigaddset(&ending, SIGINT);
	(void)sigaddset(&ending, SIGHUP);
	(void)pthread_sigmask(how, &ending, NULL);
}

void quit_setup(void)
{
	const struct sigaction action = { .sa_handler = on_sigterm };

	(void)sigaction(SIGTERM, &action, NULL);
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
