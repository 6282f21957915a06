/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * notify.h: --notify: runs the administrator's command for each change of a
 * node's state.
 */

#include <stdint.h>

#include "scoreboard.h"

/* From now on command is run for each change. 0 or -errno. beside_setup() came before. */
int notify_setup(const char *command);

/* A node's state has changed; detail may be NULL. Nothing if no command was set up. Never waits. */
void notify_node_state(const char *node, const struct score_edge *edge, const char *detail);

/* Waits for the commands that run and that are still to come, but no longer than a single command may take: then kills
 * them, and leaves a command that does not even die. Open to SIGTERM. */
void notify_finish(void);

/* Kills the running commands. For a signal handler, while no other function of this file is at work. */
void notify_abandon(void);
