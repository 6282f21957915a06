/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sigtstp.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static volatile sig_atomic_t held_off, noted;

/*
 * Sends SIGTSTP to this process by a timer, for a relay, which may not call tgkill(2): by its arguments the kernel could
 * not tell the relay's own pid from another process's. Returns whether the timer must be deleted when the signal has come.
 */
static bool signal_by_timer(timer_t *ret)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTSTP };
	const struct itimerspec at_once = { .it_value.tv_nsec = 1 };
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (timer_create(CLOCK_MONOTONIC, &event, ret) < 0)
		return false;
	(void)timer_settime(*ret, 0, &at_once, NULL);
	(void)nanosleep(&pause, NULL); /* far longer than a timer takes that is due */
	return true;
}

/* Stops this process as if SIGTSTP had not been caught. */
static void stop_now(void)
{
	struct sigaction ours, standard = { .sa_handler = SIG_DFL };
	bool by_timer = false;
	sigset_t set, before;
	timer_t timer;

	noted = 0;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTSTP);
	(void)sigaction(SIGTSTP, &standard, &ours);
	if (raise(SIGTSTP) != 0)
		by_timer = signal_by_timer(&timer);
	(void)sigprocmask(SIG_UNBLOCK, &set, &before);
	/* The process is stopped here, until another process continues it. */
	if (by_timer)
		(void)timer_delete(timer);
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
