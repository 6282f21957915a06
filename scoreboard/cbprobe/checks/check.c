/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * check.c: the table of all checks, and how checks give their reasons.
 */

#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "system/printable.h"

const struct check check_none = {
	.name = "none",
};

static const struct check *const checks[] = {
#define CHECK_ROW(kind, ...) &check_##kind,
	CHECK_KINDS(CHECK_ROW)
};

const struct check *check_find(const char *name)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (strcmp(checks[i]->name, name) == 0)
			return checks[i];
	return NULL;
}

enum outcome probe_end(struct probe *probe, enum outcome outcome, enum node_reason reason, const char *format, ...)
{
	va_list ap;

	probe->reason = reason;
	va_start(ap, format);
	if (vsnprintf(probe->detail, sizeof(probe->detail), format, ap) >= (int)sizeof(probe->detail))
		printable_cut(probe->detail);
	va_end(ap);
	printable(probe->detail, '.'); /* a node's own words go to terminals and the journal */
	return outcome;
}

enum outcome probe_fail_said(struct probe *probe, enum node_reason reason, const char *words, const char *said, size_t size)
{
	char text[sizeof(probe->detail) + 1];

	if (size >= sizeof(text))
		size = sizeof(text) - 1;
	for (size_t i = 0; i < size; i++)
		text[i] = said[i] ? said[i] : '\a'; /* a dot, as all bytes that are no text */
	text[size] = '\0';
	return probe_fail(probe, reason, "%s%s", words, text);
}
