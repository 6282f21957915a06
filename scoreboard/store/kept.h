/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * kept.h: copies of damaged scoreboards, PATH.damaged-DATE. They are there to
 * find out what happened, often in memory (tmpfs), so there are never many.
 */

#include "system/folder.h"

#define KEPT_MAX 3u /* the youngest */

/* Removes all but the youngest KEPT_MAX copies of the folder's file. What cannot be removed stays. */
void kept_trim(const struct folder *folder);
