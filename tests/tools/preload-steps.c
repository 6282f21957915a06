/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-steps.c: for LD_PRELOAD. The process stops after each of its sections, until a test continues it. It stops
 * as after Ctrl-Z, which takes effect when the lock has been given up; but by SIGSTOP, which also stops a process that has
 * no terminal.
 */

#include <dlfcn.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <tdb.h>

int raise(int number)
{
	return kill(getpid(), number == SIGTSTP ? SIGSTOP : number);
}

int tdb_unlockall(struct tdb_context *tdb)
{
	int (*real)(struct tdb_context *) = (int (*)(struct tdb_context *))dlsym(RTLD_NEXT, "tdb_unlockall");
	int r = real(tdb);

	(void)kill(getpid(), SIGTSTP);
	return r;
}
