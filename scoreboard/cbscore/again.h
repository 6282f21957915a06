/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * again.h: runs this program once more, about the same farm. A scoreboard can
 * be open once in a process, and a verb that fails ends nobody but itself.
 */

#include "context.h"

/* Runs the verb and arguments, up to a NULL, on this terminal, and waits. The exit status, or -errno. */
int again_run(const struct context *context, char *const words[]);
