/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "mhd.h"

#include "system/library.h"

struct mhd mhd;

int mhd_load(void)
{
	static const struct library_function functions[] = {
#define FIND(f) { &mhd.f, "MHD_" #f },
		MHD_FUNCTIONS(FIND)
	};

	return library_load("libmicrohttpd.so.12", functions, sizeof(functions) / sizeof(functions[0]));
}
