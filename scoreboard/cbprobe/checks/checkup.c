/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "checkup.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cbprobe/news.h"

static int compare(const void *a, const void *b)
{
	const struct checkup *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static void checkup_free(void *item)
{
	struct checkup *checkup = item;

	if (checkup->prepared)
		checkup->check->forget(checkup->prepared);
	free(checkup->text);
	free(checkup);
}

/* Prepares a checkup. 0; -EINVAL after a message; or -ENOMEM. */
static int prepare(struct checkup *checkup)
{
	char expected[EXPECTED_MAX];
	const struct check *check;

	if (check_syntax_parse(checkup->text, &checkup->syntax, expected) < 0) {
		news_say(LOG_WARNING, "check \"%s\": expected %s; its nodes are left as they are", checkup->text,
			 expected);
		return -EINVAL;
	}
	check = check_find(checkup->syntax.name);
	if (!check) {
		news_say(LOG_WARNING, "check \"%s\": not known to this program, its nodes are left as they are",
			 checkup->text);
		return -EINVAL;
	}
	checkup->check = check;
	return check->prepare ? check->prepare(&checkup->syntax, &checkup->prepared) : 0;
}

const struct checkup *checkups_get(struct checkups *checkups, const char *text)
{
	const struct checkup wanted = { .text = (char *)(uintptr_t)text };
	struct checkup *checkup, **found;
	int r;

	found = tfind(&wanted, &checkups->root, compare);
	if (found)
		return *found;
	checkup = calloc(1, sizeof(*checkup));
	if (!checkup)
		return NULL;
	checkup->text = strdup(text);
	r = checkup->text ? prepare(checkup) : -ENOMEM;
	if (r == -EINVAL)
		checkup->check = NULL;
	if ((r < 0 && r != -EINVAL) || !tsearch(checkup, &checkups->root, compare)) {
		checkup_free(checkup);
		return NULL;
	}
	return checkup;
}

void checkups_clear(struct checkups *checkups)
{
	tdestroy(checkups->root, checkup_free);
	checkups->root = NULL;
}
