/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * log_line.c: getline(3) would take all memory for a file that has no newline, and no end. A file has a single thread
 * here, so no byte is read under its lock.
 */

#include "log_line.h"

#include <errno.h>

#include "system/grow.h"

/* Reads up to the line's end, and at most room bytes. Returns what ended it: '\n', EOF, or 0: there is no room for more. */
static int read_part(FILE *file, char *line, size_t room, size_t *size)
{
	size_t at = *size;
	int c = 0;

	while (at < room) {
		c = getc_unlocked(file);
		if (c == '\n' || c == EOF)
			break;
		line[at++] = (char)c;
		c = 0;
	}
	*size = at;
	return c;
}

int log_line_read(FILE *file, char **line, size_t *room, size_t *ret_size)
{
	size_t size = 0;
	int c, r;

	errno = 0;
	do {
		r = GROW(*line, size + 1, *room); /* for a byte and the NUL */
		if (r < 0)
			return r;
		c = read_part(file, *line, *room - 1, &size);
	} while (c == 0 && size <= LOG_LINE_MAX);
	if (c == EOF && ferror(file))
		return errno ? -errno : -EIO;
	if (size > LOG_LINE_MAX)
		return -EFBIG;
	if (c == EOF && size == 0)
		return 0;
	(*line)[size] = '\0';
	*ret_size = size;
	return 1;
}
