/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "curl.h"

#include <stdbool.h>

#include "system/library.h"

struct curl curl;

int curl_load(void)
{
	static const struct library_function functions[] = {
#define FIND(f) { &curl.f, "curl_" #f },
		CURL_FUNCTIONS(FIND)
	};
	static bool loaded;
	int r;

	if (loaded)
		return 0;
	r = library_load("libcurl.so.4", functions, sizeof(functions) / sizeof(functions[0]));
	loaded = r == 0;
	return r;
}
