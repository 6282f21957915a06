/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * keep_holds.h: what an administrator holds is held after a reboot, too.
 */

#include "context.h"

/*
 * After a change: writes the held nodes with their reasons, and the share, to the
 * file that the scoreboard of the next boot begins with. A failure is told on
 * stderr. A scoreboard that has no such file, and a machine without its folder,
 * keep none.
 */
void keep_holds(const struct context *context, struct score *score);
