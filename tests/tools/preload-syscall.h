/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * preload-syscall.h: syscall(2), between a program and the C library. What includes
 * this says what happens, by on_syscall(), which may call real_syscall().
 */

#include <dlfcn.h>
#include <stdarg.h>

static long on_syscall(long number, const long arguments[static 6]);

static long real_syscall(long number, const long arguments[static 6])
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");

	return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

long syscall(long number, ...)
{
	long arguments[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	return on_syscall(number, arguments);
}
