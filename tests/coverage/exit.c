/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * exit.c: linked into the programs of `make coverage` alone. A process that ends
 * without exit(3), by _exit(2) as children do or by a signal, writes down first
 * which lines it went through. So does a process that is about to become another
 * user or to change its root folder.
 */

#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>

void __gcov_dump(void);
void __gcov_reset(void);

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));
int __real_raise(int signal);
int __wrap_raise(int signal);
int __real_setuid(uid_t uid);
int __wrap_setuid(uid_t uid);
int __real_chroot(const char *path);
int __wrap_chroot(const char *path);

/* Counts from now on come on top at the next time. */
static void write_down(void)
{
	__gcov_dump();
	__gcov_reset();
}

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

int __wrap_raise(int signal)
{
	write_down();
	return __real_raise(signal);
}

int __wrap_setuid(uid_t uid)
{
	write_down();
	return __real_setuid(uid);
}

int __wrap_chroot(const char *path)
{
	write_down();
	return __real_chroot(path);
}

static void on_end(int signal)
{
	__gcov_dump();
	(void)__real_raise(signal); /* SA_RESETHAND took the handler away */
}

__attribute__((constructor)) static void begin(void)
{
	const struct sigaction action = { .sa_handler = on_end, .sa_flags = SA_RESETHAND };
	struct sigaction before;

	/* What cannot be written, in a root folder without our files, is no matter of standard error. */
	(void)setenv("GCOV_ERROR_FILE", "/dev/null", 0);
	/* For a program that leaves it at its default; others have a handler of their own soon. */
	if (sigaction(SIGTERM, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		(void)sigaction(SIGTERM, &action, NULL);
}
