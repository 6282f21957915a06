/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * alone.h: stand-alone farms: their nodes are arguments of cbrelay(8). The
 * scoreboard of such a farm is in a new folder, cbrelay-XXXXXX, which has a lock
 * (flock(2)) as long as any process of the farm lives. So a folder without a lock
 * is what killed processes left behind.
 */

#include <stdbool.h>
#include <stddef.h>

#define ALONE_PATH_MAX 128 /* bytes of a scoreboard's path, with its NUL */

#define ALONE_FARM "stand-alone" /* the label of such a farm where several farms are shown */

struct alone {
	char path[ALONE_PATH_MAX]; /* of the scoreboard, which is still to be made */
	int fd;                    /* of its folder, with the lock; children of the process keep it open; -1: none */
};

/* Makes a folder for a scoreboard, and first removes this user's folders without a lock. 0; or -errno: nothing was
 * made. *ret is to be ended by alone_remove() either way. */
int alone_make(struct alone *ret);

/* Removes the folder and what is in it, and gives the lock up. */
void alone_remove(struct alone *alone);

/* Whether a scoreboard of that path is in such a folder. */
bool alone_has(const char *path);

/* How many stand-alone farms of this user run. *ret_path: the scoreboard of one of them, if there is any. */
size_t alone_find(char ret_path[static ALONE_PATH_MAX]);
