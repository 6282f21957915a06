/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * plain_file.h: files that check= names. A scoreboard may name any file, and a pass
 * cannot wait for a pipe, or read without end.
 */

/*
 * Opens a regular file of at most 1 MB, to be read. Never waits. The descriptor, which is
 * the caller's; or -1, and *ret_why says what is wrong (until the next call).
 */
int plain_file_open(const char *path, const char **ret_why);
