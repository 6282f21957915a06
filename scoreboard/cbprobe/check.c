/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * check.c: the table of all checks.
 */

#include "check.h"

#include <errno.h>
#include <string.h>

const struct check check_none = {
	.name = "none",
	.parse = check_parse_nothing,
};

static const struct check *const checks[] = {
	&check_tcp,
	&check_none,
};

int check_parse_nothing(const char *argument)
{
	return argument ? -EINVAL : 0;
}

const struct check *check_find(const char *text)
{
	size_t length = strcspn(text, ":");
	const char *argument = text[length] ? text + length + 1 : NULL;

	if (!*text)
		return &check_tcp;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const struct check *check = checks[i];

		if (strlen(check->name) == length && strncmp(check->name, text, length) == 0)
			return check->parse(argument) < 0 ? NULL : check;
	}
	return NULL;
}
