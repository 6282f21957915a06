/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* log_line.h: the lines of a log, each of at most LOG_LINE_MAX bytes. */

#include <stddef.h>
#include <stdio.h>

#define LOG_LINE_MAX (1u << 20)

/*
 * Reads the next line, as getline(3): *line has *room bytes, grows, and is the
 * caller's to free(3). 1: *ret_size is the line's size without its newline, and a NUL
 * stands behind it; 0: the file is at its end; -EFBIG: the line is longer than
 * LOG_LINE_MAX; or -errno.
 */
int log_line_read(FILE *file, char **line, size_t *room, size_t *ret_size);
