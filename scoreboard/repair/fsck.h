/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * fsck.h: what the library itself needs of fsck.c; programs call score_fsck().
 */

#include <sys/stat.h>

#include "farm/section.h"

/* As score_fsck(), and never rebuilds. file is that which processes have open, if it is not the store's own. */
int fsck_run(struct score *s, const struct stat *file, bool repair, void (*tell)(const char *finding, void *arg),
	     void *arg, unsigned *ret_findings);
