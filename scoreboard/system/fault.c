/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fault.c: the handler of SIGBUS.
 *
 * The alternative, a jump out of the code that touched the page, leaves tdb and
 * the C library in the middle of their work: a list half-linked, a record
 * locked. With a page of zeros both finish by themselves.
 *
 * The address is not compared with the mappings of the scoreboard, as tdb does
 * not tell where it maps its file. In a section a process reads no other mapped
 * file but the programs themselves.
 */

#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile sig_atomic_t depth, seen;
static struct sigaction before;
static uintptr_t page_size;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	void *page = (void *)((uintptr_t)info->si_addr & ~(page_size - 1));
	int error = errno;

	(void)context;
	if (depth > 0 && info->si_code == BUS_ADRERR &&
	    mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page) {
		seen = 1;
		errno = error;
		return;
	}
	/* Not a page of the scoreboard: the same access faults again, and the previous handler gets the signal. */
	(void)sigaction(number, &before, NULL);
}

static void install(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t set;

	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, &before);
	/* A blocked SIGBUS would end the process, and the mask may be inherited. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGBUS);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void fault_begin(void)
{
	if (page_size == 0)
		install();
	if (depth == 0)
		seen = 0;
	depth = depth + 1;
}

bool fault_seen(void)
{
	return depth > 0 && seen;
}

bool fault_clear(void)
{
	bool so_far = fault_seen();

	seen = 0;
	return so_far;
}

bool fault_end(void)
{
	depth = depth - 1;
	return seen;
}
