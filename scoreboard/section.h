/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * section.h: a critical section about one node.
 */

#include "farm.h"
#include "index.h"
#include "node.h"

struct section {
	struct farm *farm;
	struct node_record *record;
	struct index_entry *entry;
};

/* Enters one, to be left by farm_leave(). 0; -ENOENT: there is no such node; -EUCLEAN: its record and its entry
 * disagree; or -errno: then it is not entered. */
int section_enter(struct score *s, uint32_t id, struct section *ret);
