/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * page.h: the page beside a scoreboard, PATH.lock. All processes of the scoreboard
 * map it. It holds a mutex, and which scoreboard it was last used for.
 *
 * A file beside another can be removed, replaced, cut short, written over or
 * copied. So a process may have another page than the others, or none: nothing but
 * the speed of waiting may depend on the page (lock.c).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "system/holder.h"

struct folder;
struct page_memory;

/* The page as one process has it. */
struct page {
	const struct folder *folder;
	char *name;                  /* of the page's file, in the folder */
	mode_t mode;                 /* of the scoreboard, as its group: users who may change the scoreboard may use the page */
	gid_t group;
	uint8_t boot[BOOT_SIZE];     /* this boot */
	uint32_t tid;                /* this thread, as the mutex names it */
	struct page_memory *memory;  /* NULL: this process has no page */
};

/* How many bad pages in a row are enough: then the lock works without a page. */
#define PAGES_MAX 4u

/*
 * Begins without a page. folder names the scoreboard, and must live as long as the
 * page; scoreboard is what fstat(2) says of it; self names the calling process. 0
 * and *ret, to be ended by page_close(); or -ENOMEM.
 */
int page_open(const struct folder *folder, const struct stat *scoreboard, const struct holder *self, struct page *ret);

/* Ends and frees; the mutex must not be held. A page that is all zeros is fine. */
void page_close(struct page *page);

/* A process made by fork(2) calls this before it uses a page that its parent opened. self names the process. */
void page_after_fork(struct page *page, const struct holder *self);

/* Whether there is a page beside the scoreboard that folder names: a scoreboard of that name was in use. */
bool page_exists(const struct folder *folder);

/* Finds the page that has the name, or makes it, for a process that has no page. The process still has none where that
 * cannot be done (page->memory). Some system calls. */
void page_find(struct page *page);

/* Looks whether the process's page still has the name; if not, as page_find(). The mutex must not be held. Some system
 * calls. */
void page_look(struct page *page);

/* Tells all processes that have the page that another page is to be used, and lets go of it. */
void page_abandon(struct page *page);

/* ---- the mutex ---- */

/* As mutex_try(), for a process that has a page; or -ENOTRECOVERABLE: the page turned out to be of no use, and the process
 * has none any more. */
int page_try(struct page *page, bool waited);

/* As mutex_wait(), for a process that has a page; or -ENOTRECOVERABLE, as above. */
int page_wait(struct page *page, const struct timespec *most);

/* Gives the mutex up, if this process has a page. */
void page_leave(struct page *page);

/* ---- which scoreboard the page was last used for ---- */

/*
 * The page outlives the scoreboard's file: so it shows when a stranger has put
 * another file, or an earlier copy of the scoreboard, into that file's place.
 */
struct page_use {
	uint16_t life;     /* which scoreboard it was: what page_set_life() said; 0: not said yet, or the process has no page */
	uint64_t applied;  /* the number of the last change, or of a change before it: what page_set_applied() said; 0: not known */
};

struct page_use page_last_use(const struct page *page);

/* Each says it, if the process has a page. */
void page_set_life(struct page *page, uint16_t life);
void page_set_applied(struct page *page, uint64_t applied);
