/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * trusted.h: which commands of check=exec: the prober runs. Every member of its
 * group may change the scoreboard. So a command that is in the scoreboard but not
 * in the node list is not the administrator's.
 */

#include <stdbool.h>
#include <stddef.h>

#define TRUSTED_WHY_MAX 320 /* room for why a command is not trusted */

/* From now on commands are looked for in that node list, which is read now if possible; path must live on. What was
 * read stays known while the path cannot be read, as after chroot(2). */
void trusted_list(const char *path);

/*
 * Whether the node list has the check exec:COMMAND, and was written by root or by
 * the user that this process runs as: its owner is either of the two, and neither
 * its group nor others may write it. The list is read again when it has changed.
 * false: why is a phrase.
 */
bool trusted_command(const char *command, char why[static TRUSTED_WHY_MAX]);
