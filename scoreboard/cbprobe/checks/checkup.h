/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * checkup.h: what is done for a check= text. Nodes that have the same text share
 * a checkup, so that a thousand such nodes cost a single compiled regex.
 */

#include "check.h"
#include "list/check_syntax.h"

struct checkup {
	char *text;
	const struct check *check;   /* NULL: not known, or not usable: its nodes are left as they are */
	struct check_syntax syntax;
	void *prepared;              /* what check->prepare() made of it */
};

/* Whether the check makes its nodes work, and so takes a slot of the node. */
static inline bool checkup_works(const struct checkup *checkup)
{
	return checkup->check->works || checkup->syntax.slot;
}

/* All checkups that a pass has met. */
struct checkups {
	void *root;                  /* of tsearch(3) */
};

/* The checkup for a check= text. It is made when the text is met first; a message then says why, if it is not usable.
 * NULL: no memory. The checkup lives until checkups_clear(). */
const struct checkup *checkups_get(struct checkups *checkups, const char *text);

/* Frees them all. */
void checkups_clear(struct checkups *checkups);
