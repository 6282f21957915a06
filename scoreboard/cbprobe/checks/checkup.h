/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * checkup.h: what is done for one check= text. Nodes that have the same text
 * share it, so that a thousand of them cost one compiled regex.
 */

#include "check.h"
#include "list/check_syntax.h"

struct checkup {
	char *text;
	const struct check *check;   /* NULL: not known, or not usable: its nodes are left as they are */
	struct check_syntax syntax;
	void *prepared;              /* what check->prepare() made of it */
};

/* Whether its nodes have to work for it, so that it takes a slot of theirs. */
static inline bool checkup_works(const struct checkup *checkup)
{
	return checkup->check->works || checkup->syntax.slot;
}

/* All that a pass has met. */
struct checkups {
	void *root;                  /* of tsearch(3) */
};

/* The checkup for a check= text, made when it is met first; why it is not usable is said then. NULL: no memory.
 * It lives until checkups_clear(). */
const struct checkup *checkups_get(struct checkups *checkups, const char *text);

/* Frees them all. */
void checkups_clear(struct checkups *checkups);
