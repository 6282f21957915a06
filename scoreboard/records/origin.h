/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * origin.h: the record "origin": where the scoreboard's processes run, and the
 * node list that it was made from. A scoreboard has one such record.
 */

#include "system/surroundings.h"

#define ORIGIN_LIST_MAX 1023 /* bytes of a node list's path; a longer path is not stored */

/* The record "origin". */
struct origin {
	struct surroundings surroundings;
	char list[ORIGIN_LIST_MAX + 1]; /* real path; empty: from no file, or not known */
};

/* Whether the record can be what it says. 0 or -EUCLEAN. */
int origin_check(const struct origin *origin);
