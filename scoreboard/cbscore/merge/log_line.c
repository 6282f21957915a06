/* SPDX-License-Identifier: GPL-3.0-or-later */

/* log_line.c: getline(3) would take all memory for a file that has no newline, and no end. */

#include "log_line.h"

#include <errno.h>

#include "system/grow.h"

int log_line_read(FILE *file, char **line, size_t *room, size_t *ret_size)
{
	size_t size = 0;
	int c, r;

	for (;;) {
		r = size == *room ? GROW(*line, size, *room) : 0;
		if (r < 0)
			return r;
		errno = 0;
		c = getc(file);
		if (c == EOF && ferror(file))
			return errno ? -errno : -EIO;
		if (c == EOF && size == 0)
			return 0;
		if (c == EOF || c == '\n')
			break;
		if (size == LOG_LINE_MAX)
			return -EFBIG;
		(*line)[size++] = (char)c;
	}
	(*line)[size] = '\0';
	*ret_size = size;
	return 1;
}
