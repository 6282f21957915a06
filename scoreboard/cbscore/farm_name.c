/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "farm_name.h"

#include <stdio.h>
#include <string.h>

const char *farm_name(const struct context *context, char name[static FARM_NAME_MAX + 1])
{
	const char *slash = strrchr(context->scoreboard, '/');
	const char *base = slash ? slash + 1 : context->scoreboard;
	const char *end = strrchr(base, '.');
	size_t length = end && strcmp(end, ".tdb") == 0 ? (size_t)(end - base) : strlen(base);

	if (strcmp(context->scoreboard, SCORE_DEFAULT_PATH) == 0)
		(void)snprintf(name, FARM_NAME_MAX + 1, "corebalance");
	else
		(void)snprintf(name, FARM_NAME_MAX + 1, "%.*s", (int)length, base);
	return name;
}
