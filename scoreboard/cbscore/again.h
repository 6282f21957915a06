/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * again.h: runs this program once more for the same farm, in a process of its own:
 * a process can have a scoreboard open only once, and a verb that fails ends only
 * its own process.
 */

#include "context.h"

/* Runs the verb and its arguments, up to a NULL, on this terminal, and waits. The exit status, or -errno. */
int again_run(const struct context *context, char *const words[]);
