/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * kept.h: copies of damaged scoreboards, PATH.damaged-DATE. They serve to find
 * out what happened. They often lie in memory (tmpfs), so only a few are kept.
 */

#include "system/folder.h"

#define KEPT_MAX 3u /* copies that stay */

/* Removes all but the youngest KEPT_MAX copies of the folder's file, by the dates of their names. newest (may be NULL) is the
 * name of the copy that was just made: it is the youngest, also if the clock was set back since others were made. What cannot
 * be removed stays. */
void kept_trim(const struct folder *folder, const char *newest);
