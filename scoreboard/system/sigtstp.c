/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sigtstp.h"

#include <errno.h>
#include <signal.h>

#include "to_self.h"

static volatile sig_atomic_t held_off, noted;

/* Stops this process as if SIGTSTP had not been caught. */
static void stop_now(void)
{
	struct sigaction ours, standard = { .sa_handler = SIG_DFL };
	struct to_self sent;
	sigset_t set, before;

	noted = 0;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTSTP);
	(void)sigaction(SIGTSTP, &standard, &ours);
	to_self_send(SIGTSTP, &sent);
	(void)sigprocmask(SIG_UNBLOCK, &set, &before);
	/* The process is stopped here, until another process continues it. */
	to_self_end(&sent);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)sigaction(SIGTSTP, &ours, NULL);
}

static void on_stop(int number)
{
	int error = errno;

	(void)number;
	if (held_off)
		noted = 1;
	else
		stop_now();
	errno = error;
}

void sigtstp_defer(void)
{
	struct sigaction action = { .sa_handler = on_stop, .sa_flags = SA_RESTART }, before;

	if (sigaction(SIGTSTP, NULL, &before) < 0 || before.sa_flags & SA_SIGINFO || before.sa_handler != SIG_DFL)
		return;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGTSTP, &action, NULL);
}

bool sigtstp_hold_off(void)
{
	if (held_off)
		return false;
	held_off = 1;
	return true;
}

void sigtstp_let_in(void)
{
	held_off = 0;
	if (noted)
		stop_now();
}
