/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * trusted.h: which commands of check=exec: the prober runs. The scoreboard may
 * be changed by its whole group; a command in it that the node list does not
 * have is somebody's wish, not the administrator's.
 */

#include <stdbool.h>
#include <stddef.h>

#define TRUSTED_WHY_MAX 320 /* room for why a command is not trusted */

/* From now on commands are looked for in that node list, which is read if it can be; path must live on. What was read
 * stays known while nothing can be read there, as after chroot(2). */
void trusted_list(const char *path);

/*
 * Whether the node list has the check exec:COMMAND, and was written by root or by
 * the user that this process runs as: its owner is one of the two, and neither
 * its group nor others may write it. The list is read anew when it has changed. false: why is a
 * phrase.
 */
bool trusted_command(const char *command, char why[static TRUSTED_WHY_MAX]);
