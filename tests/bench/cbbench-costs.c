/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cbbench-costs: what a system call, a switch between two processes, and a process
 * cost on this machine. They decide how designs compare: one of many processes
 * makes as many calls as one of many threads, and more switches.
 *
 * It prints "call=NSEC switch=USEC fork=USEC". A call is getppid(2). A switch is
 * one way of a byte that goes to another process and back on the same processor,
 * with the two calls that it takes. A fork is a small process that is made, ends
 * and is waited for. Each is the least of several tries: what others do on the
 * machine only adds to it.
 */
#include "wire.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 8
#define CALLS 20000
#define TURNS 1000
#define FORKS 50

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	perror(what);
	exit(71);
}

static void make_calls(void)
{
	for (int i = 0; i < CALLS; i++)
		(void)syscall(SYS_getppid);
}

static int there[2], back[2];

/* The other process of switch_turns(). */
static _Noreturn void answer(void)
{
	char byte;

	(void)close(there[1]);
	while (read(there[0], &byte, 1) == 1)
		check((int)write(back[1], &byte, 1), "write");
	_exit(0);
}

static void make_turns(void)
{
	char byte = 0;

	for (int i = 0; i < TURNS; i++) {
		check((int)write(there[1], &byte, 1), "write");
		check((int)read(back[0], &byte, 1), "read");
	}
}

static void make_forks(void)
{
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		check(pid, "fork");
		check(waitpid(pid, NULL, 0), "waitpid");
	}
}

/* Nanoseconds of the fastest try. */
static double least(void (*work)(void))
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t start = now_nsec(), nsec;

		work();
		nsec = now_nsec() - start;
		best = nsec < best ? nsec : best;
	}
	return (double)best;
}

/* Both processes of make_turns() on one processor: else they wait for each other awake. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	check(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

int main(void)
{
	double call, turn, process = least(make_forks) / FORKS;
	pid_t other;

	stay_here();
	call = least(make_calls) / CALLS;
	check(pipe(there), "pipe");
	check(pipe(back), "pipe");
	other = fork();
	check(other, "fork");
	if (other == 0)
		answer();
	turn = least(make_turns) / TURNS / 2;
	(void)close(there[1]);
	check(waitpid(other, NULL, 0), "waitpid");
	(void)printf("call=%.0f switch=%.2f fork=%.1f\n", call, turn / 1000, process / 1000);
	return 0;
}
