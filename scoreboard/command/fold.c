/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "fold.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "system/printable.h"

#define INDENT 4u
#define MIDDLE_MIN 8u /* a shorter name is only cut */

/* The columns of the character that text begins with; *n: its bytes. */
static size_t character_width(const char *text, size_t left, mbstate_t *state, size_t *n)
{
	wchar_t c;

	*n = 1;
	if (*text >= ' ' && *text < 0x7f) /* nearly all of the bytes of 10,000 nodes */
		return 1;
	*n = mbrtowc(&c, text, left, state);
	if (*n == 0 || *n > left) { /* the locale does not know it: a column a byte */
		*state = (mbstate_t){ 0 };
		*n = 1;
		return 1;
	}
	return wcwidth(c) > 0 ? (size_t)wcwidth(c) : 0;
}

size_t text_width(const char *text)
{
	size_t width = 0, n;
	mbstate_t state = { 0 };

	for (size_t left = strlen(text); left > 0; text += n, left -= n)
		width += character_width(text, left, &state, &n);
	return width;
}

size_t text_fitting(const char *text, size_t width)
{
	size_t fitting = 0, columns, n;
	mbstate_t state = { 0 };

	for (size_t left = strlen(text); left > 0; left -= n, fitting += n) {
		columns = character_width(text + fitting, left, &state, &n);
		if (columns > width)
			break;
		width -= columns;
	}
	return fitting;
}

/* The width of the terminal to which the stream writes; 0: it writes to none, or its width is not known. */
static size_t terminal_width(FILE *out)
{
	struct winsize size;

	return isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

const char *fold_name(const char *name, size_t limit, char *text, size_t size)
{
	size_t length = strlen(name), tail = limit / 2;

	if (length <= limit)
		(void)snprintf(text, size, "%s", name);
	else if (limit < MIDDLE_MIN)
		(void)snprintf(text, size, "%.*s", (int)limit, name);
	else
		(void)snprintf(text, size, "%.*s..%s", (int)(limit - tail - 2), name, name + length - tail);
	return text;
}

/* Writes the words of a line, and changes it. */
static void write_words(FILE *out, char *line, size_t width)
{
	size_t begin = strspn(line, " "), column = begin;
	char *word, *rest = line + begin;

	print(out, "%*s", (int)begin, "");
	for (bool first = true; (word = strsep(&rest, " ")); first = false) {
		size_t length = text_width(word);

		if (!first && column + 1 + length > width && column > INDENT) {
			print(out, "\n%*s%s", (int)INDENT, "", word);
			column = INDENT + length;
		} else {
			print(out, "%s%s", first ? "" : " ", word);
			column += (first ? 0 : 1) + length;
		}
	}
	(void)fputc('\n', out);
}

void fold_line(FILE *out, const char *format, ...)
{
	size_t width = terminal_width(out);
	char *line;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&line, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	printable(line, '?');
	if (width == 0 || text_width(line) <= width)
		print(out, "%s\n", line);
	else
		write_words(out, line, width);
	free(line);
}
