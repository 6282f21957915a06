/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * exit.c: linked into the programs of `make coverage` alone: whoever ends by
 * _exit(2), as children do, writes down first which
 * lines it went through.
 */


void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
