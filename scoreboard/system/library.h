/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * library.h: a shared library that few processes need. A library to which a
 * program is linked is mapped and relocated at each start of the program. A
 * library that is loaded when it is needed costs the other processes nothing.
 */

#include <stddef.h>

/* A function of a library. `to` is the address of a pointer to such a function. */
struct library_function {
	void *to;
	const char *name;
};

/*
 * Loads the library and sets the n pointers. The library stays until the process
 * ends. 0; or -ENOSYS: there is no such library, or a function is not in it.
 */
int library_load(const char *file, const struct library_function *functions, size_t n);
