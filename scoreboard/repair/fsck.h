/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * fsck.h: what the library itself needs of fsck.c; programs call score_fsck().
 */

#include "farm/section.h"

/*
 * Looks at a copy of the scoreboard, and changes nothing: other processes wait only
 * while it is copied. tell may be NULL. 0 and *ret_findings; or as score_fsck(). Other
 * errors than -EUCLEAN, -EIDRM and -EREMCHG may come of the copy alone.
 */
int fsck_look(struct score *s, void (*tell)(const char *finding, void *arg), void *arg, unsigned *ret_findings);

/* As score_fsck(), but never rebuilds: -EUCLEAN where only a rebuild helps. All processes wait meanwhile. */
int fsck_run(struct score *s, bool repair, void (*tell)(const char *finding, void *arg), void *arg,
	     unsigned *ret_findings);

/*
 * The file's contents are those of another scoreboard than this process had
 * open, or than other processes had. Makes all free slots lost ones, asks all
 * processes, and makes the file the scoreboard. Does nothing if another process
 * has done it. *ret_asked: how many processes were asked. 0 or -errno.
 */
int fsck_take_over(struct score *s, uint32_t *ret_asked);
