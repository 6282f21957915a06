/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * news.c: two sets of lines: the lines of this pass and of the pass before. Only
 * the text of a line is compared: when a node's trouble changes, so does the line.
 */

#include "news.h"

#include <search.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/say.h"

#define NEWS_MAX 1023 /* bytes of a line; say.c has room for as many */

static void *this_pass, *pass_before; /* roots of tsearch(3), of strings */

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Whether this pass did not have the line yet. */
static bool keep(const char *line)
{
	char *copy;

	if (tfind(line, &this_pass, compare))
		return false;
	copy = strdup(line);
	if (copy && !tsearch(copy, &this_pass, compare))
		free(copy);
	return true;
}

void news_say(int priority, const char *format, ...)
{
	char line[NEWS_MAX + 1];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (keep(line) && !tfind(line, &pass_before, compare))
		say(priority, "%s", line);
}

void news_pass_over(void)
{
	tdestroy(pass_before, free);
	pass_before = this_pass;
	this_pass = NULL;
}
