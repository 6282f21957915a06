/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * library.c: by dlopen(3). No name of the library comes into the program, or into
 * another library.
 */

#include "library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

int library_load(const char *file, const struct library_function *functions, size_t n)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return -ENOSYS;
	for (size_t i = 0; i < n; i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function)
			return -ENOSYS;
		(void)memcpy(functions[i].to, &function, sizeof(function)); /* as POSIX does it; C has no cast for this */
	}
	return 0;
}
