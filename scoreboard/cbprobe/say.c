/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * say.c: lines on stderr, each a single write, so that those of several
 * processes do not mix.
 */

#include "say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/printable.h"

bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	/* An inherited variable may be about a stderr that was replaced since: the stream's identity decides. */
	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

void say(int priority, const char *format, ...)
{
	char line[1024];
	int length = 0, more;
	va_list ap;

	if (stderr_is_journal()) /* which knows the program's name; the priority is in the form of sd-daemon(3) */
		length = snprintf(line, sizeof(line), "<%d>", priority);
	else
		length = snprintf(line, sizeof(line), "cbprobe: ");
	va_start(ap, format);
	more = vsnprintf(line + length, sizeof(line) - (size_t)length, format, ap);
	va_end(ap);
	if (more < 0)
		return;
	length += more;
	if ((size_t)length > sizeof(line) - 1)
		length = sizeof(line) - 1;
	printable_line(line);
	line[length++] = '\n';
	(void)!write(STDERR_FILENO, line, (size_t)length);
}
