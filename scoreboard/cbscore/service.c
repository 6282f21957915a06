/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "service.h"

#include "system/library.h"

struct service service;

int service_load(void)
{
	static const struct library_function functions[] = {
#define FIND(f) { &service.f, "sd_" #f },
		SERVICE_FUNCTIONS(FIND)
	};

	return library_load("libsystemd.so.0", functions, sizeof(functions) / sizeof(functions[0]));
}
