/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-pidless.c: for LD_PRELOAD. A kernel without pidfd_open(2), which came
 * with Linux 5.3; a filter of system calls may have the same effect.
 */

#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "preload-syscall.h"

int pidfd_open(pid_t pid, unsigned int flags)
{
	(void)pid;
	(void)flags;
	errno = ENOSYS;
	return -1;
}

/* libsystemd calls it by syscall(2). */
static long on_syscall(long number, const long arguments[static 6])
{
	return number == SYS_pidfd_open ? pidfd_open(0, 0) : real_syscall(number, arguments);
}
