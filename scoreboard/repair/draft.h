/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * draft.h: draws up the farm as it must be, from the records that a store has.
 * fsck draws the farm into the store itself, and sees what differs. A rebuild
 * draws the farm into a new store, from what was salvaged.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "records/farm.h"
#include "store/store.h"

struct draft {
	/* The caller's: */
	struct store *from, *to;     /* a transaction of to is open */
	struct stat file;            /* the scoreboard's file that processes have open, */
	const char *path;            /* and its name */
	bool rebuild;                /* goes on without a record that cannot be read; else that is -EUCLEAN */
	bool lose_all;               /* every slot becomes a lost one: what the store says of holders is of another time */
	bool repair;                 /* the draft is to stay: the processes that may hold lost slots are looked for */
	void (*tell)(const char *finding, void *arg); /* NULL: findings are only counted */
	void *arg;
	/* The draft's: */
	struct farm farm;            /* as it has been written */
	unsigned findings;           /* things that are not as they must be */
	bool lost;                   /* slots or tickets could not be read: all processes must look at their own */
};

/*
 * Writes every record of the farm but the version as it must be, with
 * store_put(), so that only what differs is changed. 0; -EUCLEAN: a record
 * that follows from nothing else cannot be read; or -errno.
 */
int draft_draw(struct draft *draft);

/* Notes and tells a finding. */
void draft_found(struct draft *draft, const char *format, ...) __attribute__((format(printf, 2, 3)));
